"""Connecting folders and buckets: checked, sealed, tried."""

import asyncio
import uuid
from datetime import UTC, datetime

from api.connections.repository import Connections
from api.connections.schemas import ConnectionRequest, TestDocument
from models.domain.connections import Connection, ConnectionType
from models.domain.errors import ConflictError, FileOrganizerError, InvalidError, Kind
from models.settings import Settings
from storage.access import access_to
from storage.endpoints import check_endpoint, check_folder
from storage.opening import canonical_url, open_store
from storage.reaching import ACCESS_KEY, SECRET_KEY, way_in
from storage.sealing import sealer_of

TEST_S = 15.0
"""How long a test may take; a person waits for it."""

_LOCAL_ONLY = "a folder takes neither endpoint, region nor credentials"


async def connect(
    settings: Settings, connections: Connections, account_id: str, asked: ConnectionRequest
) -> Connection:
    """Store a connection, its keys sealed.

    Raises:
        InvalidError: root, endpoint or credentials make no sense.
        ForbiddenError: the operator does not allow the folder, or the endpoint is not public.
        ConflictError: it is connected already, perhaps by somebody else.
    """
    if asked.type is ConnectionType.LOCAL:
        found = _folder(settings, account_id, asked)
        if await connections.is_others(found.root_url):
            raise ConflictError("another account has connected this folder, or one around or in it")
        return await connections.add(found)
    found = await asyncio.to_thread(_bucket, settings, account_id, asked)
    return await connections.add(found)


def _folder(settings: Settings, account_id: str, asked: ConnectionRequest) -> Connection:
    if asked.endpoint_url or asked.region or asked.credentials:
        raise InvalidError(_LOCAL_ONLY)
    if not asked.root.startswith("/"):
        raise InvalidError("a folder is given by its whole path, /srv/photos")
    url = check_folder(canonical_url(asked.root), allowed=settings.allowed_folders)
    return _connection(account_id, asked, url, identity=str(uuid.uuid4()), sealed=None)


def _bucket(settings: Settings, account_id: str, asked: ConnectionRequest) -> Connection:
    if asked.credentials is None:
        raise InvalidError("a bucket needs credentials: access_key_id and secret_access_key")
    if asked.type is ConnectionType.R2 and asked.endpoint_url is None:
        raise InvalidError("R2 needs endpoint_url, https://<account>.r2.cloudflarestorage.com")
    if asked.endpoint_url is not None:
        check_endpoint(asked.endpoint_url, allowed=settings.allowed_endpoints)
    identity = str(uuid.uuid4())
    keys = {
        ACCESS_KEY: asked.credentials.access_key_id.get_secret_value(),
        SECRET_KEY: asked.credentials.secret_access_key.get_secret_value(),
    }
    sealed = sealer_of(settings).seal(keys, bound_to=identity)
    url = canonical_url(f"s3://{asked.root.removeprefix('s3://')}")
    return _connection(account_id, asked, url, identity=identity, sealed=sealed)


def _connection(
    account_id: str, asked: ConnectionRequest, url: str, *, identity: str, sealed: str | None
) -> Connection:
    return Connection(
        id=identity,
        account_id=account_id,
        type=asked.type,
        name=asked.name,
        root_url=url,
        endpoint_url=asked.endpoint_url,
        region=asked.region,
        sealed=sealed,
        created_at=datetime.now(UTC),
    )


async def tested(settings: Settings, connection: Connection) -> TestDocument:
    """Return whether a connection's root can be listed, and if not, why, in words."""
    try:
        async with asyncio.timeout(TEST_S):
            count, more = await asyncio.to_thread(_look, settings, connection)
    except FileOrganizerError as error:
        return _found(is_ok=False, message=_words(error))
    except TimeoutError:
        return _found(is_ok=False, message=f"no answer within {TEST_S:.0f} s")
    return _found(is_ok=True, message=f"listed: {'more than ' * more}{count} files seen")


def _look(settings: Settings, connection: Connection) -> tuple[int, bool]:
    """List the beginning of a root: how many files were seen, and whether there are more."""
    access = way_in(settings, connection)
    url = connection.root_url
    with (
        access_to({} if access is None else {url: access}),
        open_store(url, s3_endpoint_url=None) as store,
    ):
        pages = store.list_pages(page_size=100)
        first = next(iter(pages), None)
        more = first is not None and next(iter(pages), None) is not None
        return (0 if first is None else len(first.rows)), more


def _words(error: FileOrganizerError) -> str:
    """What to tell of an error; a broken promise of ours says nothing about addresses."""
    if error.kind is Kind.BROKEN:
        return "the storage answered in a way that we do not understand"
    return str(error)


def _found(*, is_ok: bool, message: str) -> TestDocument:
    return TestDocument(ok=is_ok, message=message, checked_at=datetime.now(UTC))
