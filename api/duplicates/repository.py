"""The room's door to Postgres: groups, copies under lock, the trash, decisions, jobs."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from api.duplicates import statements
from api.shell.account_roots import AccountRoots
from api.shell.events import record
from models.domain.decisions import Decision, not_duplicate
from models.domain.decisions import keep as kept
from models.domain.duplicate_removal import FileCopy
from models.domain.files import StoredFile
from models.domain.jobs import Job, JobStatus
from models.tables.base import table_of
from models.tables.duplicates import DuplicateDecisionRow
from models.tables.jobs import OrganizationJobRow
from models.tables.mapping import decision_values, file_from, job_values
from models.tables.statements import LAUNCH, launch_parameters

DECISIONS = table_of(DuplicateDecisionRow)
JOBS = table_of(OrganizationJobRow)

_IDS = ("id", "user_id", "root_id")

MEMBERS_SHOWN = 500
"""Files of one group that an answer holds: 500 of them are some 200 kB."""

REMOVED_BY = text("""
SELECT count(*)::int AS files, coalesce(sum(size_bytes), 0)::bigint AS bytes
  FROM organization_operations
 WHERE job_id = CAST(:job_id AS uuid) AND action = 'trash' AND state = 'done'""")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFilter:
    """Which groups are wanted.

    Attributes:
        threshold: smallest similarity; 1 for equal bytes only.
        min_bytes: smallest size of the largest file.
        category: of one of the files, fine or coarse; any when None.
    """

    threshold: float = 1.0
    min_bytes: int = 0
    category: str | None = None

    @property
    def is_near(self) -> bool:
        """Whether lookalikes count."""
        return self.threshold < 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a group; the first is its original."""

    file: StoredFile
    content: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group."""

    hash: str
    wasted_bytes: int
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """One page, and the totals of all pages."""

    groups: tuple[Group, ...]
    groups_count: int
    duplicates_count: int
    wasted_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """A copy, and where it lies."""

    copy: FileCopy
    root_url: str
    key: str


class Duplicates:
    """The duplicates of one account, in one transaction."""

    def __init__(self, connection: AsyncConnection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id
        self.roots = AccountRoots(connection, account_id)

    async def groups(self, wanted: GroupFilter, *, limit: int, offset: int) -> Groups:
        """Return a page of groups, the most wasteful first."""
        statement = statements.page(is_near=wanted.is_near, category=wanted.category)
        rows = (
            (await self._run(statement, **self._parameters(wanted), limit=limit, offset=offset))
            .mappings()
            .all()
        )
        shown = {row["hash"]: row["wasted"] for row in rows if row["hash"] is not None}
        members = await self._members(list(shown), wanted)
        return Groups(
            groups=tuple(
                Group(hash=name, wasted_bytes=int(wasted), members=tuple(members.get(name, ())))
                for name, wasted in shown.items()
            ),
            groups_count=rows[0]["groups"],
            duplicates_count=rows[0]["duplicates"],
            wasted_bytes=rows[0]["all_wasted"],
        )

    async def group_of(self, content: str, threshold: float) -> Group | None:
        """Return the group that a content is in, or None; ignored ones too."""
        wanted = GroupFilter(threshold=threshold)
        name = content
        if wanted.is_near:
            found = await self._run(statements.STAR_OF, content=content, threshold=threshold)
            name = found.scalar_one_or_none() or content
        members = (await self._members([name], wanted)).get(name, [])
        if len(members) < 2:  # noqa: PLR2004 - one file is no group
            return None
        wasted = sum(each.file.size_bytes for each in members[1:])
        return Group(hash=name, wasted_bytes=wasted, members=tuple(members))

    async def _members(self, names: Sequence[str], wanted: GroupFilter) -> dict[str, list[Member]]:
        if not names:
            return {}
        parameters = {"threshold": wanted.threshold} if wanted.is_near else {}
        rows = await self._run(
            statements.members(is_near=wanted.is_near),
            hashes=list(names),
            most=MEMBERS_SHOWN,
            **parameters,
        )
        found: dict[str, list[Member]] = {}
        for row in rows.mappings():
            member = Member(
                file=file_from({**row, **{name: str(row[name]) for name in _IDS}}),
                content=row["sha256_hash"],
                similarity=row["similarity"],
            )
            found.setdefault(row["hash"], []).append(member)
        return found

    async def locked_copies(self, ids: Collection[str]) -> list[Lying]:
        """Return all live copies of the contents of files, locked until the transaction ends."""
        rows = await self._run(statements.LOCK_COPIES, ids=list(ids))
        return [
            Lying(
                copy=FileCopy(**{name: row[name] for name in FileCopy.__slots__}),
                root_url=row["root_url"],
                key=row["storage_key"],
            )
            for row in rows.mappings()
        ]

    async def without_content(self, ids: Collection[str]) -> set[str]:
        """Return those live files that have no content to compare: not read yet, or empty."""
        return {row[0] for row in await self._run(statements.WITHOUT_CONTENT, ids=list(ids))}

    async def alike(self, ids: Collection[str]) -> set[str]:
        """Return those files whose content is in a group of lookalikes."""
        return {row[0] for row in await self._run(statements.ALIKE, ids=list(ids))}

    async def tell(self, event_type: str, data: dict[str, Any]) -> None:
        """Write an event for analytics."""
        await record(self._connection, self._account_id, event_type, data)

    async def trash(self, ids: Collection[str], *, days: int) -> int:
        """Put files into the trash for so many days; returns how many went."""
        result = await self._run(statements.TRASH, ids=list(ids), days=days)
        return result.rowcount

    async def ignore(self, content: str) -> None:
        """Hide the group of a content from now on."""
        await self._run(statements.IGNORE, content=content)

    async def show_again(self, content: str) -> bool:
        """Take that back; returns whether it was hidden."""
        return (await self._run(statements.SHOW_AGAIN, content=content)).rowcount > 0

    async def keep_apart(self, one: str, others: Collection[str]) -> None:
        """Decide that contents are no duplicates of one."""
        for other in sorted(set(others) - {one}):
            await self._decide(not_duplicate(one, other))

    async def keep(self, content: str, key: str) -> None:
        """Decide that a content stays, and which of its files."""
        await self._decide(kept(content, key))

    async def _decide(self, decision: Decision) -> None:
        change = upsert(DECISIONS).values(user_id=self._account_id, **decision_values(decision))
        newest = {"kept_key": change.excluded.kept_key, "note": change.excluded.note}
        await self._connection.execute(
            change.on_conflict_do_update(
                index_elements=["user_id", "sha256", "other_sha256"],
                set_={**newest, "decided_at": func.now()},
            )
        )

    async def submit(self, job: Job, deployment: str) -> datetime:
        """Store a job and ask for its flow run; returns when it was made."""
        values = {**job_values(job), "user_id": self._account_id}
        made = await self._connection.execute(
            insert(JOBS).values(values).returning(JOBS.c.created_at)
        )
        created_at: datetime = made.scalar_one()
        await self._connection.execute(LAUNCH, launch_parameters(job.id, deployment))
        return created_at

    async def job_status(self, job_id: str) -> JobStatus:
        """Return where a job of the account stands."""
        query = select(JOBS.c.status).where(JOBS.c.id == job_id, JOBS.c.user_id == self._account_id)
        return JobStatus((await self._connection.execute(query)).scalar_one())

    async def removed_by(self, job_id: str) -> tuple[int, int]:
        """Return how many files a job removed, and their bytes."""
        query = REMOVED_BY.bindparams(job_id=str(uuid.UUID(job_id)))
        row = (await self._connection.execute(query)).one()
        return row.files, row.bytes

    def _parameters(self, wanted: GroupFilter) -> dict[str, Any]:
        found: dict[str, Any] = {"min_bytes": wanted.min_bytes}
        if wanted.is_near:
            found["threshold"] = wanted.threshold
        if wanted.category:
            found["category"] = wanted.category
        return found

    async def _run(self, statement: Any, **parameters: Any) -> Any:
        return await self._connection.execute(
            statement, {"account": self._account_id, **parameters}
        )
