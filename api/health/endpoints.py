"""Probes for orchestrators and people."""

from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

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


@router.get("/version")
async def tell_version() -> Version:
    """Say which version this is."""
    return Version(version=version("fileorganizer"))
