"""Whether the files that stay are really there: the storage is asked, not the catalog alone."""

from collections.abc import Collection

from api.duplicates.repository import Lying
from models.domain.errors import FileOrganizerError
from storage.opening import open_store
from storage.store import Store


def proven(copies: Collection[Lying], *, s3_endpoint_url: str | None = None) -> set[str]:
    """Return the ids of those copies whose storage has them, at their size.

    Managed bytes are written once, hashed as they arrive and never changed by anybody but us, so
    being there at the size that was hashed is being what was hashed. Bytes are read again when
    the trash is emptied.

    Args:
        copies: in managed storage.
        s3_endpoint_url: of the settings.
    """
    by_root: dict[str, list[Lying]] = {}
    for each in copies:
        by_root.setdefault(each.root_url, []).append(each)
    sound: set[str] = set()
    for url, files in by_root.items():
        try:
            with open_store(url, s3_endpoint_url=s3_endpoint_url) as store:
                for each in files:
                    if _size(store, each.key) == each.copy.size_bytes:
                        sound.add(each.copy.file_id)
        except FileOrganizerError:
            continue  # nothing below a root that cannot be opened proves anything
    return sound


def _size(store: Store, key: str) -> int | None:
    try:
        return store.stat(key).size_bytes
    except FileOrganizerError:
        return None
