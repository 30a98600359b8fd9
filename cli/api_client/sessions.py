"""Who is signed in on this machine: tokens in one file that only its owner may read."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkstemp

from filelock import FileLock

from models.domain.errors import ForbiddenError

LOCK_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """One sign-in.

    Attributes:
        url: of the API, without `/v1`.
        refresh_token: works once; each use gives the next one.
    """

    url: str
    access_token: str
    refresh_token: str


class SessionFile:
    """The file that keeps a sign-in below home, for all commands of one person."""

    def __init__(self, home: Path) -> None:
        self.path = home / "api-session.json"

    def load(self) -> StoredSession:
        """Return the sign-in.

        Raises:
            ForbiddenError: nobody is signed in here.
        """
        try:
            return StoredSession(**json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ForbiddenError(
                "nobody is signed in here: `fileorganizer login EMAIL --url https://...`"
            ) from error

    def save(self, session: StoredSession) -> None:
        """Keep a sign-in: written whole beside the old one, readable by its owner only."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, name = mkstemp(dir=self.path.parent, prefix=".api-session-")  # mode 0600
        with os.fdopen(number, "w", encoding="utf-8") as file:
            json.dump(asdict(session), file)
        Path(name).replace(self.path)

    def forget(self) -> None:
        """Remove the sign-in."""
        self.path.unlink(missing_ok=True)

    @contextmanager
    def exclusive(self) -> Generator[None]:
        """Hold the file against other commands: a refresh token works once."""
        with FileLock(f"{self.path}.lock", timeout=LOCK_S):
            yield
