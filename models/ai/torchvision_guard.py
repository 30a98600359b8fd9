"""Lets open_clip be imported where torchvision was built for another torch (pytorch/vision #9085).

With a torch for CPUs and a torchvision for CUDA, importing torchvision fails: it registers what
its operators answer without data, and the operators were never declared, because its library could
not be loaded. None of them is used here; declaring the two is enough. Where torchvision is healthy
nothing is done.
"""

import importlib
import sys
from functools import cache
from typing import Any

_MISSING = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []
"""Declarations live as long as their library object."""


@cache
def import_torchvision() -> bool:
    """Import torchvision and return whether it had to be helped.

    Raises:
        ImportError: it is not installed.
        RuntimeError: it fails for another reason.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    else:
        return False
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    torch = importlib.import_module("torch")
    library = torch.library.Library("torchvision", "DEF")
    for schema in _MISSING:
        library.define(schema)
    _declared.append(library)
    importlib.import_module("torchvision")
    return True
