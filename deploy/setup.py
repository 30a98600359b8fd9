"""Make a shared installation ready: `python -m deploy.setup`, once before each new version starts.

Brings the tables up to date, makes the lake's bucket, the work pool and every deployment, and has
the server notice runs that fall silent. Doing it again changes nothing.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.embedded.prefect_api import PrefectApi
from deploy.embedded.worker import POOL, ensure_silence_automation
from deploy.migrations import upgrade
from models.domain.errors import (
    EXIT_CODES,
    BrokenError,
    BusyError,
    FileOrganizerError,
    InvalidError,
)
from models.settings import Settings

WAIT_S = 300.0
"""How long a server that is starting is waited for."""

RACES, WRITERS = 5, 8
"""Writers of one object at once, and how often: three at once were enough to see two win
(seaweedfs/seaweedfs#8800)."""


def main(arguments: list[str] | None = None) -> int:
    """Set everything up; the exit status is that of the error's kind."""
    parser = argparse.ArgumentParser(prog="python -m deploy.setup", description=__doc__)
    parser.add_argument("--pool-type", default="process", help="process, kubernetes, docker, ...")
    parser.add_argument(
        "--pool-template", type=Path, help="base job template of the work pool, in JSON"
    )
    asked = parser.parse_args(arguments)
    try:
        template = json.loads(asked.pool_template.read_text()) if asked.pool_template else None
        set_up(Settings(), pool_type=asked.pool_type, pool_template=template)
    except (FileOrganizerError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CODES[error.kind] if isinstance(error, FileOrganizerError) else 1
    return 0


def set_up(settings: Settings, *, pool_type: str, pool_template: object | None) -> None:
    """Bring tables, bucket, pool and deployments up to date.

    Args:
        settings: which database, lake and Prefect server.
        pool_type: of a work pool that is made; one that exists keeps its type.
        pool_template: base job template of the pool; its type's default when None.

    Raises:
        InvalidError: the database or the server is not named.
        BusyError: one of them does not answer.
    """
    if settings.database_url is None or settings.prefect_api_url is None:
        raise InvalidError("set FILEORGANIZER_DATABASE_URL and FILEORGANIZER_PREFECT_API_URL")
    upgrade(settings.database_url.get_secret_value())
    make_bucket(settings)
    api = PrefectApi(settings.prefect_api_url)
    deadline = time.monotonic() + WAIT_S
    while not api.is_healthy():
        if time.monotonic() > deadline:
            raise BusyError(f"Prefect at {api.url} does not answer")
        time.sleep(1)
    template = {} if pool_template is None else {"base_job_template": pool_template}
    if api.find(f"/work_pools/{POOL}") is None:
        api.create("work_pools", {"name": POOL, "type": pool_type, **template})
    elif template:
        api.change(f"/work_pools/{POOL}", template)
    ensure_silence_automation(api)
    subprocess.run([sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"], check=True)


def make_bucket(settings: Settings) -> None:
    """Make the bucket of a lake on object storage, and try whether one writer of many wins.

    Commits of the warehouse, and publishing without overwriting, rest on `If-None-Match: *`
    between writers at once; a storage that only looks first loses rows (DESIGN D8).

    Raises:
        BusyError: the storage does not answer, or refuses.
        BrokenError: several of the writers at once won.
    """
    url = urlsplit(settings.lake)
    if url.scheme != "s3":
        return
    import s3fs

    store = s3fs.S3FileSystem(endpoint_url=settings.s3_endpoint_url, skip_instance_cache=True)
    key = f"{url.path.strip('/')}/setup/{uuid.uuid4()}"
    try:
        if not store.exists(url.netloc):
            store.mkdir(url.netloc)
        won = sum(_race(store, url.netloc, key) for _ in range(RACES))
    except OSError as error:
        raise BusyError(f"the lake's storage refuses: {error}") from error
    if won != RACES:
        raise BrokenError(
            f"{won} of {RACES * WRITERS} writers at once won where {RACES} may: this storage does "
            "not honor If-None-Match, and rows would be lost; use another one"
        )


def _race(store: Any, bucket: str, key: str) -> int:
    """Return how many of the writers of one new object won."""
    from fsspec.asyn import sync

    async def write() -> bool:
        try:
            await store._call_s3("put_object", Bucket=bucket, Key=key, Body=b"", IfNoneMatch="*")  # noqa: SLF001 - the only call that takes the condition
        except FileExistsError:
            return False
        except OSError as error:
            if "PreconditionFailed" in str(error) or "ConditionalRequestConflict" in str(error):
                return False
            raise
        return True

    async def race() -> int:
        return sum(await asyncio.gather(*(write() for _ in range(WRITERS))))

    won: Any = sync(store.loop, race)
    store.rm_file(f"{bucket}/{key}")
    return int(won)


if __name__ == "__main__":
    sys.exit(main())
