"""What is done to a picture before an image tower sees it, without torch.

The same as OpenCLIP's own preprocessing (`open_clip.transform.image_transform_v2`, not training),
which is Pillow's resizing, a crop at the center and a normalization.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InvalidError

PIXEL_LIMIT = 100_000_000
"""Larger pictures are not decoded (DESIGN D7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How pictures are made ready.

    Attributes:
        size: height and width in pixels.
        mean: of red, green and blue, that is taken away.
        std: of each, that is divided by.
        interpolation: `bicubic` or `bilinear`.
        resize_mode: `shortest`: the shorter side fits, then the center is cut out; `squash`: both
            sides fit, whatever the shape.
    """

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    resize_mode: str

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Preprocessing":
        """Return what OpenCLIP's configuration of a model says.

        Raises:
            InvalidError: something that is not known here.
        """
        size = config["size"]
        height, width = (size, size) if isinstance(size, int) else size
        made = cls(
            size=(int(height), int(width)),
            mean=tuple(map(float, config["mean"])),
            std=tuple(map(float, config["std"])),
            interpolation=str(config.get("interpolation", "bicubic")),
            resize_mode=str(config.get("resize_mode", "shortest")),
        )
        if made.interpolation not in {"bicubic", "bilinear"} or made.resize_mode not in {
            "shortest",
            "squash",
        }:
            raise InvalidError(f"no preprocessing by {made.interpolation} and {made.resize_mode}")
        return made

    def pixels(self, picture: bytes) -> NDArray[np.float32]:
        """Return (3, height, width) of an encoded picture.

        Raises:
            InvalidError: it is no picture, or a larger one than is decoded.
        """
        from PIL import Image

        try:
            with Image.open(io.BytesIO(picture)) as opened:
                if opened.width * opened.height > PIXEL_LIMIT:
                    raise InvalidError("more than 100 megapixels")
                colors = self._fitted(opened.convert("RGB"))
        except (OSError, ValueError, SyntaxError) as error:
            raise InvalidError(f"no picture: {error}") from error
        values = np.asarray(colors, np.float32) / 255.0
        normal = (values - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1), np.float32)

    def _fitted(self, picture: Any) -> Any:
        from PIL import Image

        how = Image.Resampling[self.interpolation.upper()]
        height, width = self.size
        if self.resize_mode == "squash":
            return picture.resize((width, height), how)
        # torchvision's `Resize` of one number, and `CenterCrop`: what is too small is padded.
        short = min(picture.width, picture.height)
        side = min(height, width)
        wide, high = (max(int(side * each / short), side) for each in picture.size)
        resized = picture.resize((wide, high), how)
        left, top = round((wide - width) / 2), round((high - height) / 2)
        return resized.crop((left, top, left + width, top + height))
