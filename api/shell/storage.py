"""Where uploaded bytes live: one storage, `tenants/<account>/<uuid>` in it."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request

from models.settings import Settings
from storage.opening import canonical_url, make_local_root, open_store
from storage.store import Store


def managed_url(settings: Settings) -> str:
    """Return the canonical URL of the storage for uploads; below the home unless set."""
    return canonical_url(settings.storage_url or str(settings.home_path / "storage"))


def account_root_url(settings: Settings, account_id: str) -> str:
    """Return the canonical URL of one account's managed root (`storage_roots.url`)."""
    return f"{managed_url(settings)}/{tenant_folder(account_id)}"


def tenant_folder(account_id: str) -> str:
    """Return the folder of one account in the storage for uploads; generated ids only."""
    return f"tenants/{UUID(account_id)}"


def managed_store(settings: Settings) -> Store:
    """Return the storage for uploads; a folder of our own is made at first use.

    Raises:
        InvalidError: the setting is no storage.
        ForbiddenError: the folder may not be made.
    """
    url = managed_url(settings)
    make_local_root(url)
    return open_store(url, s3_endpoint_url=settings.s3_endpoint_url)


async def _managed_store(request: Request) -> Store:
    state = request.app.state
    if getattr(state, "managed_store", None) is None:
        state.managed_store = managed_store(state.settings)
    return cast("Store", state.managed_store)


ManagedStore = Annotated[Store, Depends(_managed_store)]
"""The storage for uploads; one for all requests, usable from many threads."""


def _settings(request: Request) -> Settings:
    return cast("Settings", request.app.state.settings)


async def _settings_async(request: Request) -> Settings:
    return _settings(request)


AppSettings = Annotated[Settings, Depends(_settings_async)]
"""The settings the app was made with."""
