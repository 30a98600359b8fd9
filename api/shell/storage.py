"""Where uploaded bytes live: one storage, `tenants/<account>/<uuid>` in it."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request

from models.settings import Settings


def managed_url(settings: Settings) -> str:
    """Return the canonical URL of the storage for uploads; below the home unless set."""
    from storage.opening import canonical_url

    return canonical_url(settings.storage_url or str(settings.home_path / "storage"))


def account_root_url(settings: Settings, account_id: str) -> str:
    """Return the canonical URL of one account's managed root (`storage_roots.url`)."""
    return f"{managed_url(settings)}/{tenant_folder(account_id)}"


def tenant_folder(account_id: str) -> str:
    """Return the folder of one account in the storage for uploads; generated ids only."""
    return f"tenants/{UUID(account_id)}"


def _settings(request: Request) -> Settings:
    return cast("Settings", request.app.state.settings)


async def _settings_async(request: Request) -> Settings:
    return _settings(request)


AppSettings = Annotated[Settings, Depends(_settings_async)]
"""The settings the app was made with."""
