"""Duplicates decided about and removed from the command line, with preview, proof and undo."""

import io

import numpy as np
import pytest
from flow_stack import contents_of, facts_of
from PIL import Image, ImageDraw

from models.domain.operations import OperationState

pytestmark = pytest.mark.flow


def picture(seed: int, size: tuple[int, int]) -> bytes:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((400, 300), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(30):
        x, y, width = (int(value) for value in rng.integers(0, 300, 3))
        color = tuple(int(value) for value in rng.integers(0, 256, 3))
        draw.ellipse((x, y, x + width // 4, y + width // 6), fill=color)
    stream = io.BytesIO()
    image.resize(size).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.timeout(600)
def test_duplicates_are_decided_about_removed_and_brought_back(command, ledger, tmp_path):
    tree = {
        "one.png": picture(1, (400, 300)),
        "copy/one.png": picture(1, (400, 300)),
        "small/one.png": picture(1, (200, 150)),
        "two.png": picture(2, (400, 300)),
        "two small.png": picture(2, (200, 150)),
    }
    folder = tmp_path / "pictures"
    for key, data in tree.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    before, contents = facts_of(folder), contents_of(folder)
    place = str(folder)
    told = command(*("duplicates", "decide", place, "two.png", "two small.png", "--not-duplicate"))
    assert command("duplicates", "decisions")["decisions"][0]["id"] == told["decision"]["id"]
    (folder / "two small.png").rename(folder / "renamed.png")
    near = ("duplicates", "remove", place, "--near")
    assert "how alike" in command(*near, status=2)["error"]["message"]
    assert "be seen" in command(*near, "--threshold", "0.9", "-y", status=2)["error"]["message"]
    plan = command(*near, "--threshold", "0.9", "--preview")["plan"]
    assert {row["from"]: row["truth_class"] for row in plan["sample"]} == {
        "copy/one.png": "full_hash",
        "small/one.png": "perceptual",
    }
    job_id = command("apply", plan["id"])["job"]["id"]
    assert sorted(facts_of(folder)) == ["one.png", "renamed.png", "two.png"]
    assert contents_of(folder) == contents
    receipts = {
        each.source_key: each.receipt
        for each in ledger.operations(job_id, states=[OperationState.DONE])
    }
    assert receipts["small/one.png"]["kept_sha256"] == before["one.png"][0]
    assert receipts["copy/one.png"]["truth_class"] == "full_hash"
    command("undo", job_id)
    after = facts_of(folder)
    after["two small.png"] = after.pop("renamed.png")
    assert after == before
    command("duplicates", "decisions", "--take-back", told["decision"]["id"])
    left = command("duplicates", "decisions")["decisions"]
    assert told["decision"]["id"] not in {each["id"] for each in left}
