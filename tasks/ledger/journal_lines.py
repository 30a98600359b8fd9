"""Operations and folders as lines of COPY, and rows as operations."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import psycopg

from models.domain.errors import InvalidError
from models.domain.operations import FolderRow, Operation, OperationState

COPY_CHARACTERS = 1 << 20
"""Text handed to COPY at once."""

ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
NULL = "\\N"

PLAIN = attrgetter(
    "seq",
    "size_bytes",
    "modified_ns",
    "unit_id",
    "action",
    "source_key",
    "destination_key",
    "sha256",
    "version",
    "reason",
)


def copy_lines(driver: "psycopg.Connection[Any]", statement: Any, lines: Iterable[str]) -> None:
    """Stream lines of COPY's text format."""
    with driver.cursor().copy(statement) as copy:
        chunk: list[str] = []
        size = 0
        for line in lines:
            chunk.append(line)
            size += len(line)
            if size >= COPY_CHARACTERS:
                copy.write("".join(chunk))
                chunk, size = [], 0
        copy.write("".join(chunk))


def operation_lines(
    job_id: str, operations: Iterable[Operation], roots: Mapping[str, str]
) -> Iterator[str]:
    """Operations as lines of `COPY_OPERATIONS`."""
    plain = PLAIN
    for operation in operations:
        try:
            places = f"{roots[operation.source_url]}\t{roots[operation.destination_url]}"
        except KeyError as error:
            raise InvalidError(f"{error.args[0]} is no storage root of this account") from error
        seq, size, modified, unit, action, source, destination, sha256, version, reason = plain(
            operation
        )
        words = f"{unit}{source}{destination}{version}{reason}"
        if "\\" in words or not words.isprintable():
            unit, source, destination, version, reason = (
                word.translate(ESCAPES) for word in (unit, source, destination, version, reason)
            )
        keeper = NULL if operation.keeper_key is None else operation.keeper_key.translate(ESCAPES)
        yield (
            f"{job_id}\t{seq}\t{places}\t{size}\t{modified}\t{unit}\t{action}\t"
            f"{operation.state}\t{source}\t{destination}\t{sha256}\t{version}\t{keeper}\t{reason}\t"
            f"{_text(operation.destination_version)}\t{_json(operation.receipt)}\t"
            f"{_text(operation.error)}\n"
        )


def folder_lines(
    job_id: str, folders: Iterable[FolderRow], roots: Mapping[str, str]
) -> Iterator[str]:
    """Folders as lines of `COPY_FOLDERS`."""
    for folder in folders:
        if folder.url not in roots:
            raise InvalidError(f"{folder.url} is no storage root of this account")
        mode = NULL if folder.mode is None else folder.mode
        modified = NULL if folder.modified_ns is None else folder.modified_ns
        yield (
            f"{job_id}\t{roots[folder.url]}\t{folder.key.translate(ESCAPES)}\t"
            f"{'t' if folder.existed else 'f'}\t{mode}\t{modified}\n"
        )


def _text(value: str | None) -> str:
    return NULL if value is None else value.translate(ESCAPES)


def _json(value: Mapping[str, str] | None) -> str:
    return NULL if value is None else json.dumps(value).translate(ESCAPES)


def operations_from(
    job_id: str, urls: Mapping[Any, str], rows: Iterable[Sequence[Any]]
) -> Iterator[Operation]:
    """Rows of `SELECT_OPERATIONS` as operations."""
    states = {state.value: state for state in OperationState}
    by_id: dict[Any, str] = {}
    for (
        seq,
        unit_id,
        action,
        source_root,
        source_key,
        destination_root,
        destination_key,
        size_bytes,
        modified_ns,
        sha256,
        version,
        keeper_key,
        state,
        destination_version,
        receipt,
        error,
        reason,
    ) in rows:
        for root in (source_root, destination_root):
            if root not in by_id:
                by_id[root] = urls[str(root)]
        yield Operation(
            job_id=job_id,
            seq=seq,
            unit_id=unit_id,
            action=action,
            source_url=by_id[source_root],
            source_key=source_key,
            destination_url=by_id[destination_root],
            destination_key=destination_key,
            size_bytes=size_bytes,
            modified_ns=modified_ns,
            sha256=sha256,
            version=version,
            keeper_key=keeper_key,
            state=states[state],
            destination_version=destination_version,
            receipt=receipt,
            error=error,
            reason=reason,
        )
