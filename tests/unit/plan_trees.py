"""Trees as dicts: files with contents and facts in, plans out, and plans carried out over dicts."""

import hashlib
from dataclasses import dataclass, field

from models.domain.categories import CategoryRow
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import OrganizeOptions
from models.domain.plans import WRITING, Action, Move
from models.domain.targets import Target
from tasks.dedupe.core import exact_groups
from tasks.plan.core import make_moves
from warehouse.schemas.arrow import to_rows, to_table

SOURCE = "file:///tree"
OUT = "file:///out"
NOON = 1_600_000_000_000_000_000
"""2020-09-13T12:26:40Z."""


@dataclass(frozen=True)
class Item:
    """A file of the model: its content, its time, its category, and what reading it tells."""

    content: str = "x"
    modified_ns: int = NOON
    captured_at: str | None = None
    title: str | None = None
    category: str | None = None
    subcategory: str | None = None
    facts: dict = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content.encode()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.content)


def category_of(item, key):
    """A category by content and extension, as rules have it."""
    if item.category is not None:
        return item.category
    if key.lower().endswith((".jpg", ".cr2", ".heic")):
        return "Photos"
    if key.lower().endswith(".mov"):
        return "Videos"
    return ("Work", "Finance")[len(item.content) % 2]


def fingerprint(key, item):
    facts = {
        "size_bytes": len(item.content.encode()),
        "modified_ns": item.modified_ns,
        "version": f"v-{item.sha256[:8]}",
        "sha256": item.sha256,
        "captured_at": item.captured_at,
        "captured_source": "exif" if item.captured_at else "modified",
        "title": item.title,
    }
    return Fingerprint(key=key, **(facts | item.facts))


def tables(tree, rng=None):
    """Fingerprints and categories of a tree, in any order."""
    files = list(items(tree).items())
    if rng is not None:
        rng.shuffle(files)
    categories = [
        CategoryRow(
            key=key,
            category=category_of(item, key),
            subcategory=item.subcategory,
            coarse_category="Others",
            confidence_ratio=1.0,
            reason="",
            decided_by="test",
        )
        for key, item in files
    ]
    return (
        to_table([fingerprint(key, item) for key, item in files], Fingerprint),
        to_table(categories, CategoryRow),
    )


def items(tree):
    """A tree of texts as a tree of items."""
    return {key: Item(value) if isinstance(value, str) else value for key, value in tree.items()}


def plan(tree, options=None, *, target=None, existing=None, destination=SOURCE, rng=None, **more):
    """The moves over a tree, as a table."""
    options = options or OrganizeOptions(**more)
    fingerprints, categories = tables(tree, rng)
    urls = {"source_url": SOURCE, "destination_url": destination}
    groups = exact_groups(fingerprints, categories, options=options, target=target, **urls)
    return make_moves(
        fingerprints,
        categories,
        groups,
        None if existing is None else tables(existing)[0],
        options=options,
        target=target,
        **urls,
    )


def apply(moves, source, destination, target=None):
    """Carry a plan out over dicts, strictly: no overwriting, every precondition checked.

    `destination` may be `source` itself. Returns the trash.
    """
    key_of = (target or Target()).key()
    trash = []
    for move in sorted(to_rows(moves, Move), key=lambda move: move.seq):
        if Action(move.action) not in WRITING:
            continue
        tree = destination if move.action == Action.DISPLACE else source
        item = tree[move.source_key]
        assert item.sha256 == move.sha256
        if move.action == Action.TRASH:
            assert source[move.keeper_key].sha256 == move.sha256, "the keeper proves the copy"
            assert move.keeper_key != move.source_key
        if move.action != Action.COPY:
            del tree[move.source_key]
        if move.destination_key is None:
            trash.append(item)
            continue
        put(destination, move.destination_key, item, key_of)
    return trash


def put(tree, path, item, key_of):
    """Publish without clobbering, as a disk does."""
    taken = {key_of(key) for key in tree}
    above = {key_of(path[:n]) for n, letter in enumerate(path) if letter == "/"}
    folders = {key_of(key[:n]) for key in tree for n, letter in enumerate(key) if letter == "/"}
    assert key_of(path) not in taken | folders, f"{path} is taken"
    assert not above & taken, f"a file is in the way of {path}"
    for part in path.split("/"):
        assert part not in {"", ".", "..", ".fileorganizer"}
        assert len(part.encode()) <= 255
    tree[path] = item


def outcome(tree, options=None, *, existing=None, destination=SOURCE, target=None, **more):
    """Dict in, dict out: where every content lies after the plan was carried out in place."""
    source = items(tree)
    there = source if destination == SOURCE else items(existing or {})
    moves = plan(source, options, target=target, existing=existing, destination=destination, **more)
    trash = apply(moves, source, there, target)
    return (
        {key: item.content for key, item in there.items()},
        sorted(item.content for item in trash),
        {key: item.content for key, item in source.items()},
    )


def rows(moves):
    """The plan's rows by source key; what gives way under `displaced:<key>`."""
    return {
        f"displaced:{row.source_key}" if row.action == Action.DISPLACE else row.source_key: row
        for row in to_rows(moves, Move)
    }


def writing(moves):
    """The rows that touch storage."""
    return [move for move in to_rows(moves, Move) if Action(move.action) in WRITING]
