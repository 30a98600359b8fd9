"""What the room of duplicates does, by what rules."""

import asyncio
import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from api.duplicates.proving import proven
from api.duplicates.repository import Duplicates, Group, GroupFilter, Groups, Lying
from api.shell.principal import Principal
from models.domain.duplicate_removal import Refusal, Removal, removal_of
from models.domain.entitlements import Feature
from models.domain.errors import InvalidError, MissingError
from models.domain.jobs import (
    TERMINAL,
    Job,
    JobKind,
    JobStatus,
    OrganizeOptions,
    RemovalOptions,
    deployment_of,
)
from models.domain.price_list import Action
from models.domain.source_paths import UPLOADS, source_from

USUAL_THRESHOLD = 0.9
"""Similarity from which lookalikes are shown where nobody says one: the specification's example."""

WAIT_S = 12.0
"""How long an answer waits for jobs over connected folders: starting one takes 4 to 6 s (B12)."""
POLL_S = 0.5

SCANS = {False: "reindex/reindex", True: "near-duplicates/near-duplicates"}

LONGEST_DAYS = 365
"""Days in the trash where the plan has no limit."""

Transactions = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
"""Opens a transaction of the account that asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A job that was asked for."""

    id: str
    status: str
    created_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What a removal came to."""

    deleted_count: int
    space_freed_bytes: int
    skipped: dict[str, Refusal]
    jobs: tuple[Started, ...]


def threshold_for(principal: Principal, asked: float | None) -> float:
    """Return from which similarity on files count as duplicates.

    Raises:
        ForbiddenError: below 1 without a plan that has fuzzy duplicates.
    """
    if asked is None:
        return USUAL_THRESHOLD if principal.has(Feature.FUZZY_DUPLICATES) else 1.0
    if asked < 1:
        principal.require_feature(Feature.FUZZY_DUPLICATES)
    return asked


async def list_groups(
    duplicates: Duplicates, wanted: GroupFilter, *, limit: int, offset: int
) -> Groups:
    """Return a page of groups."""
    return await duplicates.groups(wanted, limit=limit, offset=offset)


async def one_group(duplicates: Duplicates, content: str, threshold: float) -> Group:
    """Return the group of a content.

    Raises:
        MissingError: it has no duplicates.
    """
    found = await duplicates.group_of(content, threshold)
    if found is None:
        raise MissingError("there is no such group of duplicates")
    return found


async def scan(
    duplicates: Duplicates,
    principal: Principal,
    *,
    source_path: str,
    near: bool,
    managed_url: str,
) -> Started:
    """Ask for a job that looks for duplicates in uploads, or in a folder of a connection.

    Raises:
        ForbiddenError: the account's state, or its plan for lookalikes, denies it.
        InvalidError: the source makes no sense, or is a part of the uploads.
        MissingError: there is no such connection.
    """
    principal.require(Action.ORGANIZE)
    if near:
        principal.require_feature(Feature.FUZZY_DUPLICATES)
    source = source_from(source_path)
    if source.connection_id is None and source.key:
        raise InvalidError(f"uploads are compared with one another: say {UPLOADS}")
    root = await duplicates.roots.of(source, managed_url=managed_url)
    job = Job(
        id=str(uuid.uuid4()),
        kind=JobKind.REINDEX,
        account_id=principal.account_id,
        status=JobStatus.PENDING,
        source_url=root.url,
        destination_url=root.url,
        source_root_id=root.id,
        destination_root_id=root.id,
        entitlement_snapshot=principal.snapshot(),
    )
    created_at = await duplicates.submit(job, SCANS[near])
    return Started(
        id=job.id,
        status=job.status.value,
        created_at=created_at.isoformat().replace("+00:00", "Z"),
    )


async def delete(
    transactions: Transactions,
    principal: Principal,
    ids: Sequence[str],
    *,
    keep_original: bool,
    s3_endpoint_url: str | None = None,
) -> Deleted:
    """Put duplicates into the trash, each because another file of its bytes stays.

    What lies in managed storage goes at once. What lies in connected folders goes by one job a
    folder, which reads it and the file that stays again; the answer waits for it a little.
    """
    async with transactions() as connection:
        duplicates = Duplicates(connection, principal.account_id)
        lying = await duplicates.locked_copies(ids)
        alike = set[str]() if keep_original else await duplicates.alike(ids)
        removal = removal_of(
            ids, [each.copy for each in lying], keep_original=keep_original, alike=alike
        )
        for each in await duplicates.without_content(ids):
            removal.refused[each] = Refusal.NOT_A_DUPLICATE
        done, jobs = await _carry_out(
            duplicates, principal, removal, lying, s3_endpoint_url=s3_endpoint_url
        )
    return await _with_jobs(transactions, principal, done, jobs)


async def resolve(
    transactions: Transactions,
    principal: Principal,
    content: str,
    keep: Sequence[str],
    *,
    action: str,
    s3_endpoint_url: str | None = None,
) -> Deleted:
    """Keep some members of a group for good, and put all others into the trash.

    Naming a group is what lets lookalikes go, whose bytes nobody else has; so this may take the
    last file of a content, but never without another member that stays.

    Raises:
        InvalidError: a file to keep is not in the group, or `link` was asked for.
        MissingError: there is no such group.
    """
    if action != "trash":
        raise InvalidError("linking duplicates is not offered; action `trash` is")
    async with transactions() as connection:
        duplicates = Duplicates(connection, principal.account_id)
        threshold = threshold_for(principal, None)
        group = await one_group(duplicates, content, threshold)
        members = {each.file.id: each for each in group.members}
        strange = [each for each in keep if each not in members]
        if strange:
            raise InvalidError(f"{len(strange)} of the files to keep are not in this group")
        others = [each for each in members if each not in set(keep)]
        lying = await duplicates.locked_copies(list(members))
        live = {each.copy.file_id for each in lying}
        if not live & set(keep):
            raise MissingError("the files to keep are gone")
        removal = removal_of(
            others, [each.copy for each in lying], keep_original=False, alike=others
        )
        for each in keep:
            await duplicates.keep(members[each].content, members[each].file.storage_key)
        done, jobs = await _carry_out(
            duplicates, principal, removal, lying, s3_endpoint_url=s3_endpoint_url
        )
    return await _with_jobs(transactions, principal, done, jobs)


async def ignore(duplicates: Duplicates, principal: Principal, content: str) -> None:
    """Hide a group: its contents are no duplicates of one another, equal ones are not shown.

    Raises:
        MissingError: there is no such group.
    """
    group = await one_group(duplicates, content, threshold_for(principal, None))
    await duplicates.keep_apart(group.hash, [each.content for each in group.members])
    for each in {member.content for member in group.members}:
        await duplicates.ignore(each)


async def show_again(duplicates: Duplicates, content: str) -> None:
    """Show the equal files of a content again.

    Raises:
        MissingError: they were not hidden.
    """
    if not await duplicates.show_again(content):
        raise MissingError("this group is not hidden")


async def _carry_out(
    duplicates: Duplicates,
    principal: Principal,
    removal: Removal,
    lying: Collection[Lying],
    *,
    s3_endpoint_url: str | None,
) -> tuple[Deleted, list[str]]:
    """Trash what is in managed storage and proven there; ask for jobs for the rest."""
    places = {each.copy.file_id: each for each in lying}
    here = [each for each in removal.going if each.is_managed]
    proofs = {
        removal.proofs[each.content].file_id for each in here if each.content in removal.proofs
    }
    sound = await asyncio.to_thread(
        proven, [places[each] for each in sorted(proofs)], s3_endpoint_url=s3_endpoint_url
    )
    refused = dict(removal.refused)
    going: list[str] = []
    freed = 0
    for each in here:
        proof = removal.proofs.get(each.content)
        if proof is not None and proof.file_id not in sound:
            refused[each.file_id] = Refusal.CHANGED
            continue
        going.append(each.file_id)
        freed += each.size_bytes
    count = await duplicates.trash(going, days=principal.limits.get("trash_days") or LONGEST_DAYS)
    if count:
        await duplicates.tell("duplicates.deleted", {"files": count, "bytes": freed})
    jobs = await _ask_for_jobs(duplicates, principal, removal, places)
    done = Deleted(deleted_count=count, space_freed_bytes=freed, skipped=refused, jobs=())
    return done, jobs


async def _ask_for_jobs(
    duplicates: Duplicates, principal: Principal, removal: Removal, places: dict[str, Lying]
) -> list[str]:
    """Ask for one job for each connected folder that something is to leave; returns their ids."""
    by_root: dict[str, list[Lying]] = {}
    for each in removal.going:
        if not each.is_managed:
            by_root.setdefault(each.root_id, []).append(places[each.file_id])
    jobs: list[str] = []
    for root_id, files in sorted(by_root.items()):
        removed = RemovalOptions(
            groups=tuple(sorted({each.copy.content for each in files})),
            files=tuple(sorted(each.key for each in files)),
        )
        job = Job(
            id=str(uuid.uuid4()),
            kind=JobKind.DEDUPLICATE,
            account_id=principal.account_id,
            status=JobStatus.PENDING,
            source_url=files[0].root_url,
            destination_url=files[0].root_url,
            source_root_id=root_id,
            destination_root_id=root_id,
            options=OrganizeOptions(removal=removed),
            approves_itself=True,
            entitlement_snapshot=principal.snapshot(),
        )
        await duplicates.submit(job, deployment_of(job.kind))
        jobs.append(job.id)
    return jobs


async def _with_jobs(
    transactions: Transactions, principal: Principal, done: Deleted, jobs: Sequence[str]
) -> Deleted:
    """Wait a little for jobs, and add what those removed that ended."""
    waits_until = asyncio.get_running_loop().time() + WAIT_S
    statuses = dict.fromkeys(jobs, JobStatus.PENDING)
    while jobs:
        async with transactions() as connection:
            duplicates = Duplicates(connection, principal.account_id)
            statuses = {each: await duplicates.job_status(each) for each in jobs}
            ended = [each for each, status in statuses.items() if status in TERMINAL]
            removed = [await duplicates.removed_by(each) for each in ended]
        if len(ended) == len(jobs) or asyncio.get_running_loop().time() > waits_until:
            done = replace(
                done,
                deleted_count=done.deleted_count + sum(count for count, _ in removed),
                space_freed_bytes=done.space_freed_bytes + sum(size for _, size in removed),
            )
            break
        await asyncio.sleep(POLL_S)
    started = tuple(Started(id=each, status=statuses[each].value) for each in jobs)
    return replace(done, jobs=started)
