"""From a connection as it is stored to a way in, checked anew each time."""

from models.domain.connections import Connection, ConnectionType
from models.settings import Settings
from storage.access import S3Access
from storage.endpoints import check_endpoint, check_folder
from storage.sealing import sealer_of

ACCESS_KEY = "access_key_id"
SECRET_KEY = "secret_access_key"  # noqa: S105 -- the name of a field


def way_in(settings: Settings, connection: Connection) -> S3Access | None:
    """Return the keys of a connection; None of a folder, which needs none.

    Raises:
        ForbiddenError: its folder or endpoint is not allowed, or not any more.
        BusyError: its endpoint's name cannot be resolved now.
        BrokenError: its credentials cannot be opened.
    """
    if connection.type is ConnectionType.LOCAL or connection.sealed is None:
        check_folder(connection.root_url, allowed=settings.allowed_folders)
        return None
    if connection.endpoint_url is not None:
        check_endpoint(connection.endpoint_url, allowed=settings.allowed_endpoints)
    keys = sealer_of(settings).open(connection.sealed, bound_to=connection.id)
    return S3Access(
        access_key_id=keys[ACCESS_KEY],
        secret_access_key=keys[SECRET_KEY],
        endpoint_url=connection.endpoint_url,
        region=connection.region,
    )
