"""Which system user the embedded Postgres runs as.

Postgres refuses to run as root. When we are root (containers, small servers) it runs as the system
user `postgres`, else `nobody`: no account is ever made.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from models.domain.errors import InvalidError

CANDIDATES = ("postgres", "nobody")
"""System users tried in this order when we are root; the first is made by Debian's packages."""

PROBE_TIMEOUT_S = 20.0
"""A probe is one `ls`; only a hung network file system makes it wait."""


class Identity(TypedDict, total=False):
    """Keyword arguments for `subprocess` that change who the child is."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """The user a server runs as; `switch` says whether that is somebody else than us."""

    name: str
    uid: int
    gid: int
    switch: bool

    @property
    def identity(self) -> Identity:
        """Keyword arguments that make `subprocess` run a child as this user."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Hand `path` to this user.

        Raises:
            InvalidError: the file system does not let us (for example a root-squashed NFS).
        """
        if not self.switch:
            return
        try:
            os.chown(path, self.uid, self.gid)
        except OSError as error:
            raise InvalidError(
                f"Cannot hand {path} to the user {self.name!r}: {error.strerror}. "
                "Use a local disk for FILEORGANIZER_HOME, or run as a normal user."
            ) from error

    def can_enter(self, folder: Path) -> bool:
        """True if this user can walk to `folder`; asked of the kernel, so ACLs count."""
        if not self.switch:
            return os.access(folder, os.X_OK)
        program = shutil.which("ls") or "/bin/ls"
        done = subprocess.run(
            [program, "-d", "--", f"{folder}/."],
            capture_output=True,
            check=False,
            cwd="/",
            timeout=PROBE_TIMEOUT_S,
            **self.identity,
        )
        return done.returncode == 0


def server_account() -> Account:
    """The user for the embedded Postgres: ourselves, or a system user when we are root.

    Raises:
        InvalidError: we are root and there is no system user to run it as.
    """
    uid = os.geteuid()
    if uid != 0:
        return Account(_name_of(uid), uid, os.getegid(), switch=False)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid, switch=True)
    raise InvalidError(
        "Postgres does not run as root, and there is neither a user 'postgres' nor 'nobody'. "
        "Run as a normal user, or set FILEORGANIZER_DATABASE_URL to a Postgres of yours."
    )


def _name_of(uid: int) -> str:
    """Name of a user, or its number in a container without an entry for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
