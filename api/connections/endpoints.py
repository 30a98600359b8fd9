"""`/connections`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api.connections import service
from api.connections.repository import Connections
from api.connections.schemas import (
    ConnectionAnswer,
    ConnectionDocument,
    ConnectionRequest,
    ConnectionsAnswer,
    TestAnswer,
)
from api.shell.authentication import Authenticated
from api.shell.database import Transaction, account_transaction, engine_of
from api.shell.pagination import PageQuery
from api.shell.principal import CurrentAccount, principal_from
from api.shell.problems import PROBLEMS
from api.shell.repository import account_state
from api.shell.storage import AppSettings

router = APIRouter(prefix="/connections", tags=["connections"])


async def _connections(principal: CurrentAccount, transaction: Transaction) -> Connections:
    return Connections(transaction, principal.account_id)


AccountConnections = Annotated[Connections, Depends(_connections)]


@router.get("", summary="List connections", responses=PROBLEMS(401, 422, 429))
async def list_connections(connections: AccountConnections, page: PageQuery) -> ConnectionsAnswer:
    """Return your connections, the newest first."""
    found, total = await connections.page(limit=page.per_page, offset=page.offset)
    return ConnectionsAnswer(
        connections=[ConnectionDocument.of(each) for each in found],
        pagination=page.pagination(total),
    )


@router.post(
    "",
    status_code=201,
    summary="Connect a folder or bucket",
    responses=PROBLEMS(401, 403, 409, 422, 429, 503),
)
async def connect(
    asked: ConnectionRequest,
    principal: CurrentAccount,
    connections: AccountConnections,
    settings: AppSettings,
    response: Response,
) -> ConnectionAnswer:
    """Connect storage of your own; a job names it as `<id>:/folder`.

    Folders must lie below one that the operator allows. Keys of buckets are sealed and never given
    back.
    """
    made = await service.connect(settings, connections, principal.account_id, asked)
    response.headers["Location"] = f"/v1/connections/{made.id}"
    return ConnectionAnswer(connection=ConnectionDocument.of(made))


@router.get("/{connection_id}", summary="Get a connection", responses=PROBLEMS(401, 404, 422, 429))
async def get_connection(connection_id: UUID, connections: AccountConnections) -> ConnectionAnswer:
    """Return one connection."""
    found = await connections.find(str(connection_id))
    return ConnectionAnswer(connection=ConnectionDocument.of(found))


@router.delete(
    "/{connection_id}",
    status_code=204,
    summary="Remove a connection",
    responses=PROBLEMS(401, 404, 409, 422, 429),
)
async def remove_connection(connection_id: UUID, connections: AccountConnections) -> None:
    """Forget a connection and its keys; nothing in the storage itself is touched."""
    await connections.remove(str(connection_id))


@router.post(
    "/{connection_id}/test", summary="Test a connection", responses=PROBLEMS(401, 404, 422, 429)
)
async def test_connection(
    connection_id: UUID, claims: Authenticated, request: Request, settings: AppSettings
) -> TestAnswer:
    """List the beginning of the root, and say what happened."""
    # The transaction ends before the test begins: a slow storage must not hold a connection.
    async with account_transaction(engine_of(request), claims.account_id) as transaction:
        account = await account_state(transaction, claims.account_id, claims.session_id)
        principal_from(account, claims)
        found = await Connections(transaction, claims.account_id).find(str(connection_id))
    return TestAnswer(test=await service.tested(settings, found))
