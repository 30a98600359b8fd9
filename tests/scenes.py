"""Pictures drawn for tests."""

import numpy as np
from PIL import Image, ImageDraw


def scene(seed: int) -> Image.Image:
    """A picture with shapes enough to be told from another."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((400, 300), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(30):
        x, y, size = (int(value) for value in rng.integers(0, 300, 3))
        color = tuple(int(value) for value in rng.integers(0, 256, 3))
        draw.ellipse((x, y, x + size // 4, y + size // 6), fill=color)
    return image
