"""The API's operations as methods."""

import time
from base64 import b64encode
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from cli.api_client.sessions import SessionFile, StoredSession
from cli.api_client.shapes import (
    Dashboard,
    DeletedDuplicates,
    DuplicatePage,
    FilePage,
    Job,
    JobCreated,
    ListedFile,
    SearchPage,
    SignedIn,
    UploadedFile,
)
from cli.api_client.transport import TIMEOUT_S, Transport
from models.domain.errors import BrokenError, ConflictError, ForbiddenError

LARGE_BYTES = 100_000_000
"""Larger files go in parts that survive a lost connection (tus), as the specification has it."""
PART_BYTES = 8_000_000
POLL_S = 0.5
ENDED = frozenset({"completed", "completed_with_errors", "failed", "canceled", "undone"})
TUS = {"Tus-Resumable": "1.0.0"}


class ApiClient:
    """One account at one API.

    Args:
        http: a client whose base URL is the API's, without `/v1`.
        sessions: where the sign-in is kept.
        wait: sleeps, for tests.
    """

    def __init__(
        self,
        http: httpx.Client,
        sessions: SessionFile,
        *,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._sessions = sessions
        self._wait = wait
        self._open = Transport(http, wait=wait)
        self._mine = Transport(http, sessions, wait=wait)

    def register(
        self, email: str, password: str, username: str, full_name: str | None = None
    ) -> SignedIn:
        """Make an account and sign in with it."""
        body = {
            "email": email,
            "password": password,
            "username": username,
            "full_name": full_name,
        }
        return self._signed_in(self._open.call("POST", "/auth/register", json=body))

    def login(self, email: str, password: str, *, code: Callable[[], str]) -> SignedIn:
        """Sign in; where a second factor is on, `code` is asked for its six digits.

        Raises:
            ForbiddenError: address, password or code is wrong.
        """
        found = self._open.call("POST", "/auth/login", json={"email": email, "password": password})
        if found.get("mfa_required"):
            body = {"mfa_token": found["mfa_token"], "code": code()}
            found = self._open.call("POST", "/auth/2fa/verify", json=body)
        return self._signed_in(found)

    def logout(self) -> None:
        """End the session here and at the API."""
        kept = self._sessions.load()
        self._open.call("POST", "/auth/logout", json={"refresh_token": kept.refresh_token})
        self._sessions.forget()

    def _signed_in(self, found: SignedIn) -> SignedIn:
        self._sessions.save(
            StoredSession(
                url=str(self._http.base_url),
                access_token=found["access_token"],
                refresh_token=found["refresh_token"],
            )
        )
        return found

    def upload(
        self, paths: Sequence[Path], *, category: str | None = None, tags: Sequence[str] = ()
    ) -> list[UploadedFile]:
        """Upload small files in one request, streamed from the disk."""

        def made(stack: ExitStack) -> Mapping[str, Any]:
            files = [("files", (each.name, stack.enter_context(each.open("rb")))) for each in paths]
            data: dict[str, Any] = {"tags": list(tags)} if tags else {}
            if category is not None:
                data["category"] = category
            return {"files": files, "data": data}

        with ExitStack() as stack:
            answer = self._mine.call("POST", "/files/upload", make=lambda: made(stack))
        return [answer["file"]] if "file" in answer else answer["files"]

    def upload_large(self, path: Path) -> str:
        """Upload a file in parts, each with its checksum; returns the upload's address.

        A part that was lost on the way is sent again from where the server stands.
        """
        size = path.stat().st_size
        name = b64encode(path.name.encode()).decode()
        headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": f"filename {name}"}
        made = self._mine.send("POST", "/uploads", headers=headers)
        location = httpx.URL(made.headers["Location"]).path.removeprefix("/v1")
        with path.open("rb") as file:
            at = 0
            while at < size:
                file.seek(at)
                moved = self._sent_part(location, at, file.read(PART_BYTES))
                if moved <= at:
                    raise BrokenError("the upload does not go on; try again")
                at = moved
        return location

    def _sent_part(self, location: str, at: int, part: bytes) -> int:
        """Send a part, and return where the server stands now."""
        headers = {
            **TUS,
            "Upload-Offset": str(at),
            "Upload-Checksum": f"sha256 {b64encode(sha256(part).digest()).decode()}",
            "Content-Type": "application/offset+octet-stream",
        }
        try:
            answer = self._mine.send("PATCH", location, headers=headers, content=part)
        except ConflictError:  # it came, and its answer did not
            answer = self._mine.send("HEAD", location, headers=TUS)
        return int(answer.headers["Upload-Offset"])

    def files(self, **query: Any) -> FilePage:
        """Return a page of files."""
        return self._mine.call("GET", "/files", params=query)

    def all_files(self, **query: Any) -> Iterator[ListedFile]:
        """Yield all files, page by page."""
        page = 1
        while True:
            found = self.files(**query, page=page, per_page=200)
            yield from found["files"]
            if page >= (found["pagination"]["pages"] or 0):
                return
            page += 1

    def content(self, file_id: str, *, first: int = 0, last: int | None = None) -> bytes:
        """Return the bytes of a file from `first` up to and with `last`."""
        end = "" if last is None else str(last)
        headers = {"Range": f"bytes={first}-{end}"}
        return self._mine.send("GET", f"/files/{file_id}/content", headers=headers).content

    def submit(
        self,
        source_path: str,
        *,
        mode: str = "category_year",
        operation: str = "move",
        options: Mapping[str, Any] | None = None,
    ) -> JobCreated:
        """Ask for a job that organizes."""
        body = {
            "source_path": source_path,
            "organization_mode": mode,
            "operation_type": operation,
            "options": dict(options or {}),
        }
        return self._mine.call("POST", "/organize/jobs", json=body)["job"]

    def job(self, job_id: str) -> Job:
        """Return where a job stands."""
        return self._mine.call("GET", f"/organize/jobs/{job_id}")["job"]

    def watch(self, job_id: str) -> Iterator[Job]:
        """Yield a job whenever it moved on, until it has ended."""
        before: Job | None = None
        while True:
            job = self.job(job_id)
            if job != before:
                yield job
            if job["status"] in ENDED:
                return
            before = job
            self._wait(POLL_S)

    def undo(self, job_id: str) -> Job:
        """Ask for the job that takes another one back."""
        return self._mine.call("POST", f"/organize/jobs/{job_id}/undo")["job"]

    def duplicates(self, **query: Any) -> DuplicatePage:
        """Return a page of groups of duplicates."""
        return self._mine.call("GET", "/duplicates", params=query)

    def delete_duplicates(
        self, file_ids: Sequence[str], *, keep_original: bool = True
    ) -> DeletedDuplicates:
        """Put duplicates into the trash."""
        body = {"file_ids": list(file_ids), "keep_original": keep_original}
        return self._mine.call("POST", "/duplicates/delete", json=body)

    def search(self, query: str, **more: Any) -> SearchPage:
        """Return files that a query finds."""
        return self._mine.call("GET", "/search", params={"q": query, **more})

    def dashboard(self) -> Dashboard:
        """Return the account at a glance."""
        return self._mine.call("GET", "/analytics/dashboard")

    def notifications(self, **query: Any) -> dict[str, Any]:
        """Return what the account was told."""
        return self._mine.call("GET", "/notifications", params=query)


@contextmanager
def open_client(sessions: SessionFile, url: str | None = None) -> Generator[ApiClient]:
    """Connect to an API; to the one that somebody is signed in to unless said.

    Raises:
        ForbiddenError: nobody is signed in, or the address would send passwords in the clear.
    """
    address = (url or sessions.load().url).rstrip("/")
    parsed = httpx.URL(address)
    is_near = parsed.host in {"localhost", "127.0.0.1", "::1"}
    if parsed.scheme != "https" and not (parsed.scheme == "http" and is_near):
        raise ForbiddenError("passwords and tokens go over https only, except on this machine")
    with httpx.Client(base_url=address, timeout=TIMEOUT_S) as http:
        yield ApiClient(http, sessions)


OPERATIONS: tuple[tuple[str, str], ...] = (
    ("POST", "/auth/register"),
    ("POST", "/auth/login"),
    ("POST", "/auth/2fa/verify"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/logout"),
    ("POST", "/files/upload"),
    ("POST", "/uploads"),
    ("PATCH", "/uploads/{upload_id}"),
    ("HEAD", "/uploads/{upload_id}"),
    ("GET", "/files"),
    ("GET", "/files/{file_id}/content"),
    ("POST", "/organize/jobs"),
    ("GET", "/organize/jobs/{job_id}"),
    ("POST", "/organize/jobs/{job_id}/undo"),
    ("GET", "/duplicates"),
    ("POST", "/duplicates/delete"),
    ("GET", "/search"),
    ("GET", "/analytics/dashboard"),
    ("GET", "/notifications"),
)
"""What this client calls; a test looks each of them up in the API's own document."""
