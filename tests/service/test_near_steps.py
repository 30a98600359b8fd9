"""Lookalikes by the steps of the flow: signed in children, compared, decided about, planned."""

import io
import uuid
from dataclasses import replace

import pytest
from PIL import Image, ImageOps
from scenario_worlds import Root, local_root, s3_root
from scenes import scene

from models.domain.categories import CategoryRow
from models.domain.decisions import keep, not_duplicate
from models.domain.duplicates import DuplicateRow
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import Job, JobKind, JobStatus, OrganizeOptions, RemovalOptions
from models.domain.near import NearMedia
from models.domain.plans import Action, Move
from tasks.dedupe.core import exact_groups
from tasks.dedupe.near_task import find_near_duplicates
from tasks.fingerprint.signing_task import list_contents, list_packs, list_unsigned, sign_batch
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger
from tasks.plan.removal_task import make_removal_plan
from warehouse.schemas.arrow import arrow_schema, to_rows, to_table
from warehouse.store.parts import open_lake

pytestmark = pytest.mark.service


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


class Steps:
    """A ledger, a lake and roots; each step as its flow calls it."""

    def __init__(self, ledger, lake):
        self.ledger, self.lake = ledger, lake

    def plan(self, root: Root) -> tuple[list[DuplicateRow], list[Move]]:
        """Return near groups of a root, and the plan that removes all lookalikes."""
        url = root.store.url
        root_id = self.ledger.root_for(url).id
        options = OrganizeOptions(removal=RemovalOptions(near=True, threshold=0.85))
        job = self.ledger.create_job(
            Job(
                id=str(uuid.uuid4()),
                kind=JobKind.DEDUPLICATE,
                account_id=None,
                status=JobStatus.PENDING,
                source_url=url,
                destination_url=url,
                source_root_id=root_id,
                destination_root_id=root_id,
                options=options,
            )
        )
        files = [self.seen(root, row) for row in to_rows(root.scan(), Fingerprint)]
        table = to_table(files, Fingerprint)
        exact = exact_groups(table, decisions=self.ledger.decisions_of(job.account_id))

        def part(rows, name):
            return self.lake.write_part(
                rows, uri=f"runs/{job.id}/v1/{name}.parquet", table_name=name
            )

        fingerprints, duplicates = part(table, "fingerprints"), part(exact, "duplicates")
        categories = part(arrow_schema(CategoryRow).empty_table(), "categories")
        contents = list_contents.fn(job.id, fingerprints, duplicates, [NearMedia.IMAGE])
        unsigned = list_unsigned.fn(job.id, contents)
        sign_batch.fn(job.id, root_id, 0, unsigned, 0, unsigned.rows)
        signatures = list_packs.fn(contents)
        near = find_near_duplicates.fn(job.id, fingerprints, categories, contents, signatures, 0.85)
        plan_id = make_removal_plan.fn(job.id, fingerprints, duplicates, categories, near)
        moves = self.lake.read(self.ledger.plan(plan_id).moves)
        return to_rows(self.lake.read(near), DuplicateRow), to_rows(moves, Move)

    @staticmethod
    def seen(root: Root, row: Fingerprint) -> Fingerprint:
        width, height = Image.open(io.BytesIO(root.read(row.key))).size
        picture = {"content_label": "png", "mime": "image/png", "media": "image"}
        return replace(row, width=width, height=height, **picture)


@pytest.fixture
def steps(tmp_path, database_url, monkeypatch):
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", database_url)
    monkeypatch.setenv("FILEORGANIZER_LAKE_URL", str(tmp_path / "lake"))
    monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path / "home"))
    with Ledger(database_url) as ledger:
        yield Steps(ledger, open_lake(str(tmp_path / "lake")))
    close_pools()


def going(moves):
    return {row.source_key: row.keeper_key for row in moves if row.action == Action.TRASH}


FIRST, CUT = scene(1), scene(1).crop((10, 10, 380, 290))
TREE = {
    "a.png": png(FIRST),
    "small/a.png": png(FIRST.resize((200, 150))),
    "c.png": png(scene(2)),
    "blank.png": png(Image.new("RGB", (400, 300), "white")),
    "blank 2.png": png(Image.new("RGB", (500, 300), "white")),
}


@pytest.mark.scenario(33)
def test_scenario_33_blank_pictures_are_in_no_group_and_in_no_plan(steps, tmp_path):
    root = local_root("in", tmp_path)
    root.write(TREE)
    near, moves = steps.plan(root)
    assert {row.key for row in near} == {"a.png", "small/a.png"}
    assert going(moves) == {"small/a.png": "a.png"}
    (row,) = (row for row in moves if row.action == Action.TRASH)
    assert (row.truth_class, row.threshold_ratio) == ("perceptual", 0.85)
    assert row.keeper_sha256 == root.store.hash("a.png").sha256


@pytest.mark.scenario(32)
def test_scenario_32_by_the_steps_only_what_matches_the_keeper_may_go(steps, tmp_path):
    """Cut on the left, whole, cut on the right: the whole one is B when a cut one keeps."""
    root = local_root("in", tmp_path)
    left, right = FIRST.crop((52, 0, 400, 300)), FIRST.crop((0, 0, 348, 300))
    root.write({"keep/a.png": png(left), "b.png": png(FIRST), "c.png": png(right)})
    account = steps.ledger.local_account()
    sha = {key: root.store.hash(key).sha256 for key in ("keep/a.png", "c.png")}
    steps.ledger.decide(account, keep(sha["keep/a.png"], "keep/a.png"))
    steps.ledger.decide(account, not_duplicate(*sha.values()))
    _, moves = steps.plan(root)
    assert going(moves) == {"b.png": "keep/a.png"}


def test_decisions_hold_after_a_rename_a_move_and_in_another_storage(steps, tmp_path, request):
    root = local_root("in", tmp_path)
    mirrored = png(ImageOps.mirror(CUT))
    root.write({"a.png": TREE["a.png"], "m.png": mirrored, "n.png": TREE["small/a.png"]})
    account = steps.ledger.local_account()
    sha = {key: root.store.hash(key).sha256 for key in ("a.png", "m.png", "n.png")}
    assert going(steps.plan(root)[1]) == {"m.png": "a.png", "n.png": "a.png"}
    steps.ledger.decide(account, not_duplicate(sha["a.png"], sha["m.png"]))
    steps.ledger.decide(account, keep(sha["n.png"], "n.png"))
    decided = {"a.png": "n.png", "m.png": "n.png"}
    assert going(steps.plan(root)[1]) == decided
    renames = {"a.png": "Photos/2020/x.png", "m.png": "Photos/y.png", "n.png": "z.png"}
    for old, new in renames.items():
        root.write({new: root.read(old)})
        root.remove(old)
    moved = {renames[key]: renames[keeper] for key, keeper in decided.items()}
    assert going(steps.plan(root)[1]) == moved
    calls = request.getfixturevalue("s3_calls")
    bucket = s3_root("in", tmp_path, request.getfixturevalue("s3_bucket"), calls)
    endpoint = request.getfixturevalue("s3_endpoint")
    request.getfixturevalue("monkeypatch").setenv("FILEORGANIZER_S3_ENDPOINT_URL", endpoint)
    bucket.write(root.tree())
    assert going(steps.plan(bucket)[1]) == moved
    for decision in steps.ledger.decisions(account):
        steps.ledger.take_back(account, decision)
    assert set(going(steps.plan(root)[1]).values()) == {"Photos/2020/x.png"}
