"""What uploads write: promises, files, and the job that follows."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from api.shell.file_rows import files_of_account
from api.shell.tag_rows import use_tags
from api.uploads import statements as s
from models.domain.categories import coarse_category
from models.domain.errors import ConflictError
from models.domain.files import StoredFile, is_coarse
from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.uploads import clean_text, display_name, extension_of
from models.tables.base import table_of
from models.tables.files import FileRow
from models.tables.jobs import OrganizationJobRow
from models.tables.mapping import file_from, job_values
from models.tables.statements import LAUNCH, launch_parameters
from storage.intake import TakenIn

FILES = table_of(FileRow)
JOBS = table_of(OrganizationJobRow)
DEPLOYMENT = "uploaded/uploaded"


class QuotaExceededError(ConflictError):
    """The bytes do not fit into what the account may store."""


class DayLimitError(ConflictError):
    """As many files as the plan allows were uploaded today."""


class FileLimitError(ConflictError):
    """The account has as many files as its plan allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What is asked for before bytes are written.

    Attributes:
        id: of the reservation; again with the same id adds to it.
        size_bytes: bytes more.
        uploads: files more.
        keys: where they will be written.
        life: how long it holds without being renewed.
    """

    id: str
    account_id: str
    size_bytes: int = 0
    uploads: int = 0
    keys: tuple[str, ...] = ()
    life: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One file whose bytes are published.

    Attributes:
        id: of the file; the last part of its key, too.
        sent_name: as the client said it.
    """

    id: str
    sent_name: str
    taken: TakenIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was asked for with files."""

    category: str | None = None
    tags: tuple[str, ...] = ()


async def promise(
    connection: AsyncConnection, asked: Promise, limits: Mapping[str, int | None]
) -> None:
    """Promise storage, and count files against the day, all or nothing.

    Raises:
        QuotaExceededError, DayLimitError, FileLimitError: it does not fit.
        ConflictError: the reservation is somebody else's or gone.
    """
    account = {"account_id": asked.account_id}
    fits = await connection.execute(s.PROMISE, {**account, "size_bytes": asked.size_bytes})
    if fits.one_or_none() is None:
        raise QuotaExceededError("the storage of this account is full")
    if asked.uploads:
        parameters = {**account, "uploads": asked.uploads, "allowed": limits["uploads_per_day"]}
        counted = await connection.execute(s.COUNT_UPLOADS, parameters)
        if counted.one_or_none() is None:
            raise DayLimitError("as many files as the plan allows were uploaded today")
        there = (await connection.execute(s.FILES_THERE, account)).scalar_one()
        if limits["files_total"] is not None and there + asked.uploads > limits["files_total"]:
            raise FileLimitError("the account has as many files as its plan allows")
    values = {
        **account,
        "id": asked.id,
        "size_bytes": asked.size_bytes,
        "uploads": asked.uploads,
        "keys": list(asked.keys),
        "life": asked.life,
    }
    if (await connection.execute(s.RESERVE, values)).one_or_none() is None:
        raise ConflictError("this upload has ended")


async def give_back(connection: AsyncConnection, account_id: str, reservation_id: str) -> None:
    """Give a promise back whose files did not come; twice is once."""
    account = {"account_id": account_id}
    await connection.execute(s.LOCK_ACCOUNT, account)
    ended = await connection.execute(s.END_RESERVATION, {**account, "id": reservation_id})
    row = ended.mappings().one_or_none()
    if row is None:
        return
    freed = {**account, "reserved_bytes": row["size_bytes"], "used_bytes": 0}
    await connection.execute(s.KEEP, freed)
    uncounted = {**account, "uploads": row["uploads"], "counted_on": row["counted_on"]}
    await connection.execute(s.UNCOUNT, uncounted)


async def keep(
    connection: AsyncConnection,
    *,
    account_id: str,
    reservation_id: str,
    root_url: str,
    arrived: Sequence[Arrived],
    wishes: Wishes,
    tag_limit: int | None,
    snapshot: Mapping[str, Any],
) -> list[StoredFile]:
    """Turn a promise into files, and ask for the flow that looks into them; return the files.

    Raises:
        ConflictError: the promise has expired; its bytes are being removed.
        TagLimitError: more tags than the plan allows.
    """
    account = {"account_id": account_id}
    await connection.execute(s.LOCK_ACCOUNT, account)
    ended = await connection.execute(s.END_RESERVATION, {**account, "id": reservation_id})
    row = ended.mappings().one_or_none()
    if row is None:
        raise ConflictError("this upload took too long and has ended; begin again")
    used = sum(each.taken.size_bytes for each in arrived)
    kept = {**account, "reserved_bytes": row["size_bytes"], "used_bytes": used}
    await connection.execute(s.KEEP, kept)
    root_id = await _root(connection, account_id, root_url)
    await use_tags(connection, account_id, dict.fromkeys(wishes.tags, len(arrived)), tag_limit)
    ids = [each.id for each in arrived]
    rows = [_row(each, account_id, (root_id, root_url), wishes) for each in arrived]
    await connection.execute(insert(FILES).values(hashed_at=func.now()), rows)
    entries = [
        {**account, "file_id": each.id, "size_bytes": each.taken.size_bytes} for each in arrived
    ]
    await connection.execute(s.ENTER, entries)
    await _ask_for_flow(connection, account_id, (root_id, root_url), snapshot)
    query = files_of_account(account_id).where(FILES.c.id.in_(ids))
    found = {file.id: file for file in map(file_from, (await connection.execute(query)).mappings())}
    return [found[each] for each in ids]


async def renew(
    connection: AsyncConnection, account_id: str, reservation_id: str, life: timedelta
) -> None:
    """Let a promise hold on.

    Raises:
        ConflictError: it has ended.
    """
    parameters = {"account_id": account_id, "id": reservation_id, "life": life}
    if (await connection.execute(s.RENEW, parameters)).one_or_none() is None:
        raise ConflictError("this upload took too long and has ended; begin again")


async def _root(connection: AsyncConnection, account_id: str, url: str) -> str:
    parameters = {"account_id": account_id, "url": url}
    found = (await connection.execute(s.FIND_ROOT, parameters)).scalar_one_or_none()
    if found is None:
        found = (await connection.execute(s.ROOT, parameters)).scalar_one()
    return str(found)


def _row(
    arrived: Arrived, account_id: str, root: tuple[str, str], wishes: Wishes
) -> dict[str, Any]:
    name = display_name(arrived.sent_name)
    sent = clean_text(arrived.sent_name)
    category = wishes.category
    coarse = "Others"
    if category is not None:
        coarse = category if is_coarse(category) else coarse_category(category)
    taken = arrived.taken
    return {
        "id": arrived.id,
        "user_id": account_id,
        "root_id": root[0],
        "storage_key": arrived.id,
        "storage_path": f"{root[1]}/{arrived.id}",
        "storage_version": taken.version,
        "modified_ns": taken.modified_ns,
        "filename": name,
        "original_path": sent if sent != name else None,
        "file_extension": extension_of(name),
        "file_size_bytes": taken.size_bytes,
        "md5_hash": taken.md5,
        "sha256_hash": taken.sha256,
        "category": category,
        "chosen_category": category,
        "coarse_category": coarse,
        "tags": list(wishes.tags),
    }


async def _ask_for_flow(
    connection: AsyncConnection,
    account_id: str,
    root: tuple[str, str],
    snapshot: Mapping[str, Any],
) -> None:
    """Let a job that waits take these files along, or ask for one: it is one of many uploads."""
    waiting = {"account_id": account_id, "root_id": root[0]}
    if (await connection.execute(s.WAITING_JOB, waiting)).one_or_none() is not None:
        return
    job = Job(
        id=str(uuid.uuid4()),
        kind=JobKind.UPLOADED,
        account_id=account_id,
        status=JobStatus.PENDING,
        source_url=root[1],
        destination_url=root[1],
        source_root_id=root[0],
        destination_root_id=root[0],
        entitlement_snapshot=_for_a_flow(snapshot),
    )
    await connection.execute(insert(JOBS).values(**job_values(job), user_id=account_id))
    await connection.execute(LAUNCH, launch_parameters(job.id, DEPLOYMENT))


def _for_a_flow(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return a snapshot without the limit of files per job: uploads are counted where they arrive.

    A job of uploads looks at all files of the account, most of which it knows.
    """
    limits = {**snapshot.get("limits", {}), "files_per_job": None}
    return {**snapshot, "limits": limits}
