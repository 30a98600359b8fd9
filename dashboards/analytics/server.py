"""The dashboards' server: marimo in run mode behind the guard, on this machine unless told else."""

import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from dashboards.analytics.guard import Guard
from models.domain.errors import BusyError, ForbiddenError

LOOPBACK = "127.0.0.1"
SESSION_TTL_S = 120
"""Life of a page's state after its tab is closed: a reload within two minutes finds it again."""

CLOSING_S = 3
"""How long open pages may keep the server from ending: they have nothing to lose."""


def guarded_app(host: str) -> Guard:
    """Return the dashboards as an ASGI app; run mode takes no code from anybody."""
    import marimo

    notebook = Path(__file__).with_name("board.py")
    builder = marimo.create_asgi_app(
        quiet=True, include_code=False, show_tracebacks=False, session_ttl=SESSION_TTL_S
    )
    app: Any = builder.with_app(path="/", root=str(notebook)).build()
    app.router.lifespan_context = _ending_sessions
    return Guard(app, host=host)


@asynccontextmanager
async def _ending_sessions(app: Any) -> AsyncGenerator[None]:
    """End the threads of open pages with the server; marimo does so only where it is the server."""
    yield
    for route in app.routes:
        manager = getattr(route.app.state, "session_manager", None)
        if manager is not None:
            await manager.shutdown()


def serve(*, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve the dashboards until a signal comes.

    Args:
        host: address to listen at.
        port: 0 for a free one.
        announce: called with the address, its token in it, once it answers.

    Raises:
        ForbiddenError: the address is not ours to listen at.
        BusyError: another program has the port.
    """
    import uvicorn

    try:
        listener = socket.create_server((host, port))
    except PermissionError as error:
        raise ForbiddenError(f"{host}:{port} may not be listened at: {error}") from error
    except OSError as error:
        raise BusyError(f"{host}:{port} cannot be listened at: {error}") from error
    app = guarded_app(host)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=CLOSING_S,
    )
    shown = f"[{host}]" if ":" in host else host
    with listener:
        announce(f"http://{shown}:{listener.getsockname()[1]}/?token={app.token}")
        uvicorn.Server(config).run(sockets=[listener])
