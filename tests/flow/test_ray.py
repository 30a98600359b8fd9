"""Batches on a Ray cluster of this machine, by one setting: the same as in threads."""

import importlib.util
from pathlib import Path

import pytest
from flow_stack import Command
from tiny_models import tiny_sentence_folder

pytestmark = [
    pytest.mark.flow,
    pytest.mark.xdist_group("stack"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        importlib.util.find_spec("prefect_ray") is None,
        reason="Ray is not installed: pip install 'fileorganizer[ray]'",
    ),
]

TEXTS = (
    "invoice amount due pay total number ray ",
    "blood result of the patient ray ",
    "holiday by the sea ray ",
)
"""Contents of no other test: what is corrected there counts once its vector is there."""


def test_reading_and_embedding_on_ray_give_what_threads_give(command: Command, tmp_path: Path):
    tiny = tiny_sentence_folder(tmp_path / "tiny")
    models = {
        "FILEORGANIZER_TEXT_MODEL": f"local-dir:{tiny}",
        "FILEORGANIZER_IMAGE_MODEL": "off",
        "FILEORGANIZER_BATCH_FILES": "5",
        "FILEORGANIZER_WORK_THREADS": "2",
    }
    found = {}
    for runner in ("threads", "ray"):
        folder = tmp_path / runner
        folder.mkdir()
        for number in range(120):
            (folder / f"{number:03}.txt").write_text(TEXTS[number % 3] * (5 + number // 2))
        asked = Command(
            env=command.env,
            extra={
                **models,
                "FILEORGANIZER_MODELS_FOLDER": str(tmp_path / f"models of {runner}"),
                "FILEORGANIZER_TASK_RUNNER": runner,
            },
        )
        (facts,) = asked("reindex", str(folder))["roots"].values()
        job = command("jobs")["jobs"][0]
        assert facts["ai"].startswith("texts: by tiny.")
        rows = command(
            "sql",
            "SELECT key, sha256, category, confidence_ratio, decided_by FROM fact_category"
            f" WHERE run_id = '{job['id']}' ORDER BY key",
            "--limit",
            "1000",
        )["rows"]
        assert len(rows) == 120
        found[runner] = rows
    assert found["ray"] == found["threads"]
