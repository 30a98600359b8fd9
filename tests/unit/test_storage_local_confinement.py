"""No key, link or race leads a local store out of its root; checked on the real disk."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.domain.errors import FileOrganizerError, MissingError, UnsafePathError
from models.domain.manifest import ContentHash
from models.domain.organizing import RESERVED_PREFIX
from storage.local import LocalStore
from storage.store import FolderFacts
from storage.syscalls import Syscalls


class OldKernel(Syscalls):
    """A kernel without openat2."""

    def open_folder(self, root_fd: int, key: str) -> int:
        return os.dup(root_fd) if not key else self.walk_to(root_fd, key)


def everything(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Mode, time and bytes of all below a folder, links as such."""
    found = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (facts.st_mode, facts.st_mtime_ns, data)
    return found


@pytest.fixture(params=[Syscalls, OldKernel])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalStore]:
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (root / "in" / "a.txt").write_bytes(b"mine")
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "secret").write_bytes(b"not yours")
    (outside / "deep" / "secret").write_bytes(b"nor this")
    store = LocalStore(root, url="file:///x", syscalls=request.param())
    yield store
    store.close()


def attempts(store: LocalStore, key: str) -> list[Callable[[], object]]:
    """Every operation that takes a key, aimed at one."""
    row = store.stat("in/a.txt")
    content = store.hash("in/a.txt")

    def receive() -> object:
        return store.receive(
            store,
            "in/a.txt",
            key,
            mark="evil-1",
            expected=content,
            source_version=row.version,
            modified_ns=1,
        )

    def receive_from() -> object:
        return store.receive(
            store,
            key,
            "in/stolen",
            mark="evil-2",
            expected=ContentHash(
                md5="", sha256=content.sha256, size_bytes=len(b"not yours"), version=""
            ),
            source_version="",
            modified_ns=1,
        )

    def read() -> object:
        with store.open(key) as stream:
            return stream.read()

    return [
        lambda: store.stat(key),
        lambda: store.file_mode(key),
        read,
        lambda: store.read_range(key, 0, 9),
        lambda: store.hash(key),
        lambda: list(store.list_pages(key)),
        lambda: store.delete(key, version="1-2-3"),
        lambda: store.set_times(key, 1),
        lambda: store.folder_facts(key),
        lambda: store.restore_folder(key, FolderFacts(mode=0o777, modified_ns=1)),
        lambda: store.prune_folder(key),
        lambda: store.rename(key, "in/stolen", version="1-2-3"),
        lambda: store.rename("in/a.txt", key, version=store.stat("in/a.txt").version),
        receive,
        receive_from,
        lambda: store.settle("evil-1", key),
    ]


LINKED = ["link/secret", "link/deep/secret", "link", "in/link/new", "in/file", "up/outside/secret"]


@pytest.mark.parametrize("key", LINKED)
@pytest.mark.parametrize("is_batch", [False, True])
def test_planted_links_lead_nowhere(store: LocalStore, tmp_path: Path, key: str, is_batch: bool):
    root = tmp_path / "root"
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "in" / "link").symlink_to("../../outside/deep")
    (root / "in" / "file").symlink_to(tmp_path / "outside" / "secret")
    (root / "up").symlink_to("..")
    before = everything(tmp_path / "outside")
    for attempt in attempts(store, key):
        try:
            if is_batch:
                with store.batch():
                    found = attempt()
            else:
                found = attempt()
        except FileOrganizerError:
            continue
        assert found in (None, False), found
    assert everything(tmp_path / "outside") == before
    assert (root / "in" / "a.txt").read_bytes() == b"mine"
    assert not (root / "in" / "stolen").exists()


def test_our_own_folder_as_a_link_is_not_followed(store: LocalStore, tmp_path: Path):
    before = everything(tmp_path / "outside")
    (tmp_path / "root" / RESERVED_PREFIX).symlink_to(tmp_path / "outside")
    for attempt in attempts(store, "in/new"):
        try:
            attempt()
        except FileOrganizerError:
            continue
    assert everything(tmp_path / "outside") == before


def test_a_folder_swapped_for_a_link_is_noticed(store: LocalStore, tmp_path: Path):
    root = tmp_path / "root"
    row = store.stat("in/a.txt")
    (root / "in").rename(tmp_path / "moved")
    (root / "in").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafePathError):
        store.stat("in/secret")
    with pytest.raises(UnsafePathError):
        store.rename("in/a.txt", "b.txt", version=row.version)
    (root / "b.txt").write_bytes(b"")
    with pytest.raises(UnsafePathError):
        store.rename("b.txt", "in/b.txt", version=store.stat("b.txt").version)
    assert sorted(path.name for path in (tmp_path / "outside").iterdir()) == ["deep", "secret"]


PIECES = st.sampled_from(
    [
        "..",
        ".",
        "",
        "in",
        "a.txt",
        "link",
        "secret",
        "deep",
        "/",
        "\0",
        "\udc80",
        "x" * 260,
        "~",
        "*",
    ]
)


@settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=7).map("/".join))
def test_no_generated_key_escapes(tmp_path_factory: pytest.TempPathFactory, key: str):
    root = tmp_path_factory.getbasetemp() / "hostile"
    if not root.exists():
        (root / "root" / "in").mkdir(parents=True)
        (root / "outside" / "deep").mkdir(parents=True)
        (root / "outside" / "secret").write_bytes(b"not yours")
        (root / "root" / "link").symlink_to(root / "outside")
    (root / "root" / "in" / "a.txt").write_bytes(b"mine")
    before = everything(root / "outside")
    around = sorted(path.name for path in root.iterdir())
    with LocalStore(root / "root", url="file:///x") as store:
        for attempt in attempts(store, key):
            if not (root / "root" / "in" / "a.txt").exists():
                (root / "root" / "in" / "a.txt").write_bytes(b"mine")
            try:
                found = attempt()
            except FileOrganizerError:
                continue
            assert found != b"not yours"
    assert everything(root / "outside") == before
    assert sorted(path.name for path in root.iterdir()) == around


def test_what_is_no_regular_file_is_missing(store: LocalStore, tmp_path: Path):
    root = tmp_path / "root"
    os.mkfifo(root / "pipe")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(root / "socket"))
    (root / "folder").mkdir()
    for key in ["pipe", "socket", "folder", "in/a.txt/below"]:
        with pytest.raises(MissingError):
            store.stat(key)
        with pytest.raises(MissingError):
            store.hash(key)
        with pytest.raises(MissingError):
            store.delete(key, version="1-2-3")
    server.close()
