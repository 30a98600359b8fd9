"""Where the embedded stack keeps what, below one home folder."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.account import Account, server_account
from models.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
"""The repository: `prefect.yaml` and the flows' entrypoints are relative to it."""

SYSTEM = Path("/var/lib/fileorganizer")
"""Where Postgres' data goes when we are root and our home is private (as /root is)."""


@dataclass(frozen=True, slots=True)
class Places:
    """The files and folders of one stack."""

    home: Path

    @property
    def state(self) -> Path:
        """What runs, with addresses and process ids; rewritten whole."""
        return self.home / "stack.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.home / "stack.lock"

    @property
    def logs(self) -> Path:
        """One log per part, rotated."""
        return self.home / "logs"

    @property
    def prefect(self) -> Path:
        """PREFECT_HOME: the server's SQLite database and local results."""
        return self.home / "prefect"

    def log(self, part: str) -> Path:
        """The log of one part."""
        return self.logs / f"{part}.log"

    def postgres(self, account: Account | None = None) -> Path:
        """Folder of the embedded Postgres, reachable for the user it runs as.

        Args:
            account: That user; found when not given.
        """
        user = account or server_account()
        if user.can_enter(self.home):
            return self.home / "postgres"
        digest = hashlib.sha256(str(self.home).encode()).hexdigest()[:8]
        return SYSTEM / f"{self.home.name.strip('.')}-{digest}" / "postgres"

    def make(self) -> None:
        """Make the folders; only their owner reads them."""
        # As root, Postgres' user walks through home to its own folder, but cannot list it.
        mode = 0o711 if server_account().switch else 0o700
        self.home.mkdir(mode=mode, parents=True, exist_ok=True)
        for folder in (self.logs, self.prefect):
            folder.mkdir(mode=0o700, exist_ok=True)


def places_of(settings: Settings) -> Places:
    """The places below the home of `settings`."""
    return Places(settings.home_path)
