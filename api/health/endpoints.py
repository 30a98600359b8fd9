"""Probes for orchestrators and people."""

from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.health.readiness import parts

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """That the process answers."""

    status: Literal["ok"] = "ok"


class Version(BaseModel):
    """Which version this is."""

    version: str = Field(examples=["0.1.0"])
    api: Literal["v1"] = "v1"


@router.get("/healthz")
async def healthz() -> Alive:
    """Say that the process lives; nothing else is looked at."""
    return Alive()


class Ready(BaseModel):
    """Whether requests can be served, and by which parts."""

    status: Literal["ready", "not_ready"]
    parts: dict[str, bool] = Field(examples=[{"postgres": True, "prefect": True, "storage": True}])


@router.get("/readyz", responses={503: {"model": Ready, "description": "A part is away."}})
async def readyz(request: Request, response: Response) -> Ready:
    """Ask Postgres, Prefect, the storage and, where it is set, Redis; 503 when one is away."""
    found = await parts(request.app.state.settings, request.app.state.engine)
    is_ready = all(found.values())
    response.status_code = 200 if is_ready else 503
    return Ready(status="ready" if is_ready else "not_ready", parts=found)


@router.get("/version")
async def tell_version() -> Version:
    """Say which version this is."""
    return Version(version=version("fileorganizer"))
