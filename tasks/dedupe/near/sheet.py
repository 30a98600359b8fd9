"""Pairs as a sheet to be labeled elsewhere: CSV with one pair a row."""

import csv
import io
from collections.abc import Mapping, Sequence

from models.domain.errors import InvalidError
from models.domain.near_pairs import Label, NearPair

COLUMNS = (
    "media",
    "similarity",
    "file_a",
    "file_b",
    "is_duplicate",
    "thumbnail_a",
    "thumbnail_b",
    "sha256_a",
    "sha256_b",
)
"""`is_duplicate` is what a person fills in; contents are known by their hashes alone."""
_YES = frozenset({"yes", "y", "true", "1"})
_NO = frozenset({"no", "n", "false", "0"})
_HASH_DIGITS = 64


def _harmless(text: str) -> str:
    """Return a name that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def sheet_of(
    pairs: Sequence[NearPair], keys: Mapping[str, str], thumbnails: Mapping[str, str]
) -> str:
    """Return the pairs as CSV, `is_duplicate` left empty.

    Args:
        pairs: what is to be labeled.
        keys: a file of each content, by SHA-256.
        thumbnails: where the thumbnail of a file is, by key; none where it has none.
    """
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(COLUMNS)
    for pair in pairs:
        one, other = keys[pair.sha256], keys[pair.other_sha256]
        writer.writerow(
            [
                pair.media,
                f"{pair.similarity_ratio:.4f}",
                _harmless(one),
                _harmless(other),
                "",
                thumbnails.get(one, ""),
                thumbnails.get(other, ""),
                pair.sha256,
                pair.other_sha256,
            ]
        )
    return sink.getvalue()


def labels_of(text: str) -> list[Label]:
    """Return the labels of a sheet; rows whose `is_duplicate` is empty are left out.

    Raises:
        InvalidError: a column is missing, or a value cannot be read; the text says which row.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    missing = {"media", "is_duplicate", "sha256_a", "sha256_b"} - set(reader.fieldnames or ())
    if missing:
        raise InvalidError(f"the sheet has no column {', '.join(sorted(missing))}")
    found: list[Label] = []
    for number, row in enumerate(reader, start=2):
        said = (row["is_duplicate"] or "").strip().lower()
        if not said:
            continue
        pair = sorted(((row["sha256_a"] or "").strip(), (row["sha256_b"] or "").strip()))
        if said not in _YES | _NO:
            raise InvalidError(f"row {number}: is_duplicate is yes, no or empty, not {said!r}")
        if any(len(sha256) != _HASH_DIGITS for sha256 in pair):
            raise InvalidError(f"row {number}: sha256_a and sha256_b are 64 digits each")
        label = Label(
            media=(row["media"] or "").strip(), pair=(pair[0], pair[1]), is_duplicate=said in _YES
        )
        found.append(label)
    return found
