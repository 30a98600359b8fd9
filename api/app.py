"""The app: the shell around the rooms."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI

from api.accounts import endpoints as accounts
from api.analytics import endpoints as analytics
from api.auth import endpoints as auth
from api.duplicates import endpoints as duplicates
from api.health import endpoints as health
from api.notifications import endpoints as notifications
from api.shell.database import make_engine
from api.shell.problems import add_problem_handlers
from api.shell.request_log import RequestLog
from api.shell.tokens import token_keys
from api.uploads import endpoints as uploads
from models.settings import Settings

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    auth.router,
    accounts.router,
    duplicates.router,
    notifications.router,
    analytics.router,
    uploads.router,
)
"""Every room's router; all of them are served below /v1."""

PREFIX = "/v1"


def create_app(settings: Settings) -> FastAPI:
    """Return the API.

    Raises:
        BusyError: no database is configured.
        InvalidError: a setting makes no sense.
    """
    engine = make_engine(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        yield
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
    app.state.token_keys = token_keys(settings)
    add_problem_handlers(app)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    app.include_router(health.router, include_in_schema=False)
    app.add_middleware(RequestLog)
    return app
