"""Whether everything the API stands on answers."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.shell.storage import managed_url
from models.settings import Settings

CHECK_S = 5.0
"""A part that takes longer counts as away."""


async def parts(settings: Settings, engine: AsyncEngine) -> dict[str, bool]:
    """Return by name of each part whether it answers; all are asked at once."""

    async def postgres() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT version_num FROM alembic_version"))

    async def prefect() -> None:
        url = settings.prefect_api_url or f"http://127.0.0.1:{settings.prefect_port}/api"
        async with httpx.AsyncClient(timeout=CHECK_S) as client:
            (await client.get(f"{url.rstrip('/')}/health")).raise_for_status()

    async def storage() -> None:
        await asyncio.to_thread(_look_at_storage, settings)

    async def redis() -> None:
        from redis.asyncio import Redis

        assert settings.redis_url is not None  # noqa: S101 -- asked for only then
        async with Redis.from_url(settings.redis_url.get_secret_value()) as client:
            await client.ping()

    asked: dict[str, Callable[[], Awaitable[None]]] = {
        "postgres": postgres,
        "prefect": prefect,
        "storage": storage,
    }
    if settings.redis_url is not None:
        asked["redis"] = redis
    found = await asyncio.gather(*(_answers(check) for check in asked.values()))
    return dict(zip(asked, found, strict=True))


def _look_at_storage(settings: Settings) -> None:
    """Open the storage for uploads and look for something in it."""
    from storage.opening import open_store

    open_store(managed_url(settings), s3_endpoint_url=settings.s3_endpoint_url)


async def _answers(check: Callable[[], Awaitable[None]]) -> bool:
    try:
        await asyncio.wait_for(check(), CHECK_S)
    except Exception:  # noqa: BLE001 -- whatever a part's trouble is, it is not ready
        return False
    return True
