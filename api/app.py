"""The app: the shell around the rooms."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from api.accounts import endpoints as accounts
from api.analytics import endpoints as analytics
from api.auth import endpoints as auth
from api.connections import endpoints as connections
from api.duplicates import endpoints as duplicates
from api.files import endpoints as files
from api.health import endpoints as health
from api.live import endpoints as live
from api.live.hub import Hub
from api.live.listening import Listening
from api.live.sockets import Sockets, mount_sockets
from api.notifications import endpoints as notifications
from api.organize import endpoints as organize
from api.organize.scheduling import keep_scheduling
from api.search import endpoints as search
from api.shell.database import make_engine
from api.shell.guards import ALLOWED_HEADERS, EXPOSED_HEADERS, BodyLimit, SecurityHeaders
from api.shell.idempotency import Idempotency
from api.shell.idempotency_store import IdempotencyStore
from api.shell.identification import Identification
from api.shell.latencies import LatencyCount, keep_writing
from api.shell.metrics import add_metrics
from api.shell.problems import add_problem_handlers
from api.shell.rate_limits import RateLimits
from api.shell.request_log import RequestLog
from api.shell.secret_box import secret_box
from api.shell.tokens import token_keys
from api.tags import endpoints as tags
from api.uploads import endpoints as uploads
from models.domain.latencies import Latencies
from models.settings import Settings

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    auth.router,
    accounts.router,
    duplicates.router,
    notifications.router,
    analytics.router,
    search.router,
    uploads.router,
    files.router,
    tags.router,
    organize.router,
    live.router,
    connections.router,
)
"""Every room's router; all of them are served below /v1."""

PREFIX = "/v1"

STREAMED = ("/v1/files/upload", "/v1/uploads")
"""Beginnings of paths whose bodies are files: their endpoints measure them by the plan."""


def create_app(settings: Settings) -> FastAPI:
    """Return the API.

    Raises:
        BusyError: no database is configured.
        InvalidError: a setting makes no sense.
    """
    engine = make_engine(settings)
    latencies = Latencies()
    keys = token_keys(settings)
    hub = Hub()
    sockets = Sockets(engine, keys, hub)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        tasks = (
            asyncio.create_task(IdempotencyStore(engine).sweep()),
            asyncio.create_task(keep_writing(engine, latencies)),
            asyncio.create_task(Listening(engine, hub).run()),
            asyncio.create_task(keep_scheduling(engine, settings)),
        )
        yield
        await sockets.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await engine.dispose()

    app = FastAPI(
        title="FileOrganizer",
        version=version("fileorganizer"),
        lifespan=lifespan,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.engine = engine
    app.state.token_keys = keys
    app.state.hub = hub
    add_problem_handlers(app)
    add_metrics(app, settings)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    app.include_router(health.router, include_in_schema=False)
    mount_sockets(app, settings, sockets)
    _surround(app, settings)
    app.add_middleware(LatencyCount, counted=latencies)
    return app


def _surround(app: FastAPI, settings: Settings) -> None:
    """Put the rings around the app, the inner ones first."""
    app.add_middleware(Idempotency, engine=app.state.engine, box=secret_box(settings))
    app.add_middleware(BodyLimit, most_bytes=settings.body_bytes, streamed=STREAMED)
    if settings.rate_limits:
        app.add_middleware(RateLimits, settings=settings, engine=app.state.engine)
    app.add_middleware(Identification, keys=app.state.token_keys)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=ALLOWED_HEADERS,
            expose_headers=EXPOSED_HEADERS,
            max_age=600,
        )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog)
