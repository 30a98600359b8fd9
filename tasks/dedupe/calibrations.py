"""What was learned of each root, at rest in the lake: `calibrations/<root_id>.json`."""

import json
from typing import Any

from models.domain.errors import BrokenError, MissingError
from models.domain.near import SIGNATURE_VERSION
from models.domain.near_pairs import Calibration, Label
from warehouse.store.parts import Lake


def _uri(root_id: str) -> str:
    return f"calibrations/{root_id}.json"


def keep_calibration(lake: Lake, root_id: str, calibration: Calibration) -> None:
    """Keep what was learned of a root, in place of what was there."""
    document: dict[str, Any] = {
        "signature_version": SIGNATURE_VERSION,
        "thresholds": dict(calibration.thresholds),
        "labels": [
            {"media": label.media, "pair": label.pair, "is_duplicate": label.is_duplicate}
            for label in calibration.labels
        ],
    }
    lake.write_blob(_uri(root_id), json.dumps(document, sort_keys=True, indent=1).encode())


def read_calibration(lake: Lake, root_id: str) -> Calibration:
    """Return what was learned of a root; an empty one when nothing was.

    Labels are by content and hold forever; thresholds hold for the signatures they were made with.

    Raises:
        BrokenError: what is there cannot be read.
    """
    try:
        document = json.loads(lake.read_blob(_uri(root_id)))
        labels = tuple(
            Label(
                media=str(label["media"]),
                pair=(str(label["pair"][0]), str(label["pair"][1])),
                is_duplicate=bool(label["is_duplicate"]),
            )
            for label in document["labels"]
        )
        is_current = document["signature_version"] == SIGNATURE_VERSION
        thresholds = {str(k): float(v) for k, v in document["thresholds"].items()}
    except MissingError:
        return Calibration()
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise BrokenError(
            f"{_uri(root_id)} in the lake is damaged; remove it and calibrate anew"
        ) from error
    return Calibration(labels=labels, thresholds=thresholds if is_current else {})
