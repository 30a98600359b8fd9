"""AI categorization through the real flows and servers, by a tiny sentence model."""

from pathlib import Path

import pytest
from flow_stack import Command
from scenes import scene
from tiny_models import tiny_sentence_folder

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(900)]


TEXTS = {
    "a.txt": "invoice amount due pay total number " * 20,
    "b.txt": "blood result of the patient " * 20,
    "c.json": '{"a": 1}',
}


def test_documents_are_understood_and_the_result_says_by_what(command: Command, tmp_path: Path):
    folder = tmp_path / "files"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    tiny = tiny_sentence_folder(tmp_path / "tiny")
    asked = Command(
        env=command.env,
        extra={
            "FILEORGANIZER_TEXT_MODEL": f"local-dir:{tiny}",
            "FILEORGANIZER_IMAGE_MODEL": "off",
            "FILEORGANIZER_MODELS_FOLDER": str(tmp_path / "models"),
            "FILEORGANIZER_REVIEW_BELOW": "0",
        },
    )
    document = asked("organize", str(folder), "--mode", "ai_category", "--yes")
    assert document["plan"]["ai"].startswith("texts: by tiny.")
    assert document["result"]["ai"] == document["plan"]["ai"]
    placed = {path.name: path.parent.relative_to(folder) for path in folder.rglob("*.txt")}
    assert set(placed) == {"a.txt", "b.txt"}
    rows = asked(
        "sql", "SELECT key, decided_by, alternatives FROM fact_category WHERE key LIKE '%.txt'"
    )
    assert "tiny." in str(rows)
    shown = asked.typed("review", str(folder), prompt="which", answers=["Health", "q"])
    assert "1 corrections learned" in shown
    said = asked(
        "sql", "SELECT key, category, decided_by FROM fact_category WHERE reason = 'you said so'"
    )
    assert "Health" in str(said)


def test_pairs_are_judged_at_a_terminal(command: Command, tmp_path: Path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        picture = scene(seed)
        picture.save(folder / f"{seed}.png")
        picture.resize((300, 225)).save(folder / f"{seed} small.jpg", quality=80)
    shown = command.typed(
        "duplicates",
        "calibrate",
        str(folder),
        prompt="Could one of them go?",
        answers=["maybe", "y", "s", "q"],
    )
    assert "1 of 3" in shown
    assert "image" in shown
