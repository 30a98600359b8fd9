"""How steps hand tables to each other: by reference, never by value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRef:
    """An immutable Parquet table at rest in the lake.

    Attributes:
        uri: path below the lake, e.g. `runs/<job>/fingerprint/part-00003.parquet`.
        table: name of its schema, e.g. `fingerprints`.
        rows: number of rows.
        sha256: digest of the file's bytes; equal inputs give equal bytes.
    """

    uri: str
    table: str
    rows: int
    sha256: str

    @property
    def job_id(self) -> str:
        """Job whose run made the part; the second component of its address."""
        return self.uri.split("/")[1]
