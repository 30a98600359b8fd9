"""P4: nothing is ever overwritten: spellings, long names, and jobs that race for one place."""

import random
import threading
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from apply_world import MemoryJournal, contents, hashes, make_tree

from models.domain.operations import Operation
from models.domain.plans import Action
from storage.local import LocalStore
from storage.memory import MemoryStore
from storage.opening import open_store
from storage.store import Store
from tasks.apply.core import Mover

pytestmark = pytest.mark.crash

ROUNDS = 100
ATTEMPTS = 100
"""Operations a round: 100 rounds of them are the 10,000 attempts of P4."""

NAMES = [
    "photo.jpg", "Photo.JPG", "PHOTO.jpg", "é.txt", "e\u0301.txt", "É.txt", "straße", "STRASSE",
    "ﬁle", "file", "x" * 255, "X" * 255, "é" * 127, "e\u0301" * 85, "a b", "a  b", "-rf", "$(id)",
    "new\nline", 'quo"te', "CON", "nul.txt", ".hidden", "dot.", "İ", "i\u0307", "ǅ", "ǆ", "\u212b",
    "Å",
]  # fmt: skip
FOLDERS = ["", "a", "A", "é", "e\u0301"]


def _key(rng: random.Random) -> str:
    folder, name = rng.choice(FOLDERS), rng.choice(NAMES)
    return f"{folder}/{name}" if folder else name


def _operations(
    rng: random.Random, job_id: str, source: Store, target: Store, keys: list[str]
) -> list[Operation]:
    made: list[Operation] = []
    for seq, key in enumerate(keys):
        row, content = source.stat(key), source.hash(key)
        made.append(
            Operation(
                job_id=job_id,
                seq=seq,
                unit_id=f"{seq}",
                action=rng.choice([Action.MOVE, Action.MOVE, Action.COPY]),
                source_url=source.url,
                source_key=key,
                destination_url=target.url,
                destination_key=_key(rng),
                size_bytes=row.size_bytes,
                modified_ns=row.modified_ns,
                sha256=content.sha256,
                version=row.version,
            )
        )
    return made


def _apply(journal: MemoryJournal, stores: list[Store], operations: list[Operation]) -> None:
    job_id = operations[0].job_id
    journal.begin(job_id, operations, [])
    mover = Mover(stores, journal, job_id=job_id, epoch=journal.new_epoch(job_id))
    mover.apply(journal.operations(job_id))


def _sources(folder: Path, job_id: str) -> LocalStore:
    tree = {f"{job_id}/{n:03}": f"{folder.name} {job_id} {n}" for n in range(ATTEMPTS)}
    root = make_tree(folder / f"in-{job_id}", {key.partition("/")[2]: tree[key] for key in tree})
    return LocalStore(root, url=f"file://{root}")


def _copies(journal: MemoryJournal, *job_ids: str) -> Counter[str]:
    return Counter(
        each.sha256
        for job_id in job_ids
        for each in journal.operations(job_id)
        if each.action == Action.COPY and each.state == "done"
    )


def test_jobs_that_race_for_one_place_on_a_disk(tmp_path: Path) -> None:
    """Two jobs at a time, half of all attempts."""
    rng = random.Random(4)
    attempts = 0
    for number in range(ROUNDS // 4):
        folder = tmp_path / f"{number}"
        root = make_tree(folder / "out", {"a/photo.jpg": "there before", "é.txt": "there before"})
        target = LocalStore(root, url=f"file://{root}")
        journal = MemoryJournal()
        jobs = {job_id: _sources(folder, job_id) for job_id in ("one", "two")}
        before = hashes(root, *(folder / f"in-{job_id}" for job_id in jobs))
        threads: list[threading.Thread] = []
        for job_id, source in jobs.items():
            keys = [row.key for page in source.list_pages() for row in page.rows]
            operations = _operations(rng, job_id, source, target, keys)
            attempts += len(operations)
            threads.append(
                threading.Thread(target=_apply, args=(journal, [source, target], operations))
            )
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = hashes(root, *(folder / f"in-{job_id}" for job_id in jobs))
        assert after == before + _copies(journal, *jobs)
        assert contents(root)["a/photo.jpg"] == contents(root)["é.txt"] == b"there before"
        states = Counter(each.state for job in jobs for each in journal.operations(job))
        assert set(states) == {"done", "refused"}
        assert states["done"] <= len(NAMES) * len(FOLDERS)
        for store in (target, *jobs.values()):
            store.close()
    assert attempts == ROUNDS * ATTEMPTS // 2


def _spelled(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def test_spellings_on_a_store_that_takes_them_for_one(tmp_path: Path) -> None:
    """The other half: a store that folds case and normalizes."""
    rng = random.Random(5)
    attempts = 0
    for number in range(ROUNDS // 2):
        folder = tmp_path / f"{number}"
        target = open_store(f"memory://collide-{number}?fold_case=1&normalize=1")
        assert isinstance(target, MemoryStore)
        source = _sources(folder, "one")
        journal = MemoryJournal()
        keys = [row.key for page in source.list_pages() for row in page.rows]
        operations = _operations(rng, "one", source, target, keys)
        attempts += len(operations)
        before = hashes(folder / "in-one")
        _apply(journal, [source, target], operations)
        there = [row.key for page in target.list_pages() for row in page.rows]
        assert len({_spelled(key) for key in there}) == len(there)
        arrived = Counter(target.hash(key).sha256 for key in there)
        assert hashes(folder / "in-one") + arrived == before + _copies(journal, "one")
        source.close()
    assert attempts == ROUNDS * ATTEMPTS // 2
