"""Queries as vectors, from the process that has the model: the API loads none (decision 14)."""

from dataclasses import dataclass
from http import HTTPStatus

import httpx

from models.domain.errors import MissingError
from models.settings import Settings

TIMEOUT_S = 5.0
"""The first query opens the model (0.2 to 2 s); a search waits no longer than this for meaning."""

UNIX = "unix:"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryVector:
    """A query, as the model of the index sees it.

    Attributes:
        table: where the contents' vectors of this model and tower are in Postgres.
        text: the numbers as pgvector reads them.
    """

    table: str
    text: str


async def query_vector(settings: Settings, query: str) -> QueryVector:
    """Return a query's vector.

    Raises:
        MissingError: nobody makes vectors here now; the text says why.
    """
    address = settings.embedder_address
    is_local = address.startswith(UNIX)
    transport = httpx.AsyncHTTPTransport(uds=address.removeprefix(UNIX)) if is_local else None
    base = "http://embedder" if is_local else address
    try:
        async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S) as client:
            answer = await client.post(f"{base.rstrip('/')}/embed", json={"text": query})
        said = answer.json()
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise MissingError("the model that compares meanings is not running") from error
    if answer.status_code != HTTPStatus.OK:
        raise MissingError(str(said.get("detail") or "no model is there to compare meanings"))
    return QueryVector(table=str(said["table"]), text=str(said["vector"]))
