"""Which contents can have near-duplicates, one row each."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.near import Content, NearMedia
from tasks.fingerprint.parsing import labels_of
from tasks.fingerprint.perceptual.documents import LARGEST_DOCUMENT, readable_labels
from warehouse.schemas.arrow import arrow_schema
from warehouse.schemas.files import texts

compute: Any = pc  # the stubs know too few of its overloads


def kinds_by_label() -> dict[str, NearMedia]:
    """Return what is compared of each content label; labels without are not compared."""
    kinds = dict.fromkeys(readable_labels(), NearMedia.DOCUMENT)
    for name in (NearMedia.IMAGE, NearMedia.AUDIO, NearMedia.VIDEO):
        kinds.update(dict.fromkeys(labels_of(name), name))
    return kinds


def near_contents(fingerprints: pa.Table, duplicates: pa.Table, media: frozenset[str]) -> pa.Table:
    """Return the contents to be compared, each with the file that stands for it.

    That file is the keeper of its exact group, or the only one. Files that could not be parsed as
    what they claim to be are left out.

    Args:
        fingerprints: (n,) rows of `Fingerprint`.
        duplicates: (m,) rows of `DuplicateRow`, exact groups of the same files.
        media: which of `NearMedia` are wanted.

    Returns:
        (k,) rows of `Content`, sorted by content.
    """
    kinds = {label: kind.value for label, kind in kinds_by_label().items() if kind in media}
    labels = pa.array(sorted(kinds), pa.string())
    keep = compute.and_(
        compute.is_in(fingerprints["content_label"], value_set=labels),
        compute.and_(
            compute.is_valid(fingerprints["sha256"]), compute.is_null(fingerprints["problem"])
        ),
    )
    others = compute.filter(duplicates["key"], compute.invert(duplicates["is_keeper"]))
    keep = compute.and_(
        keep,
        compute.invert(compute.is_in(fingerprints["key"], value_set=others.combine_chunks())),
    )
    names = ["sha256", "key", "content_label", "size_bytes", "version"]
    chosen = fingerprints.filter(keep).select(names).sort_by("sha256")
    kind = pa.array([kinds[label] for label in texts(chosen, "content_label")], pa.string())
    too_long = compute.and_(
        compute.equal(kind, NearMedia.DOCUMENT.value),
        compute.greater(chosen["size_bytes"], LARGEST_DOCUMENT),
    )
    columns = {
        "sha256": chosen["sha256"],
        "key": chosen["key"],
        "label": chosen["content_label"],
        "kind": kind,
        "size_bytes": chosen["size_bytes"],
        "version": chosen["version"],
    }
    schema = arrow_schema(Content)
    table = pa.table([columns[name] for name in schema.names], names=schema.names)
    return table.filter(compute.invert(too_long)).cast(schema).combine_chunks()
