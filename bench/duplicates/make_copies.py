"""Copies of real photos, made the way people make them, with their truth written beside them.

Run: `python bench/duplicates/make_copies.py SOURCE TARGET [--photos 200] [--seed 7]`. SOURCE is any
folder of photos. TARGET gets `originals/`, one folder a kind of copy, and `truth.csv`
(`path,family,kind`): two pictures are copies of one another exactly when their family is equal.
"""

import argparse
import csv
import hashlib
import random
import warnings
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

EDIT = Callable[[Image.Image, random.Random], Image.Image]
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
MINIMUM_SIDE = 200
EXIF_ORIENTATION = 0x0112


def resized(image: Image.Image, rng: random.Random) -> Image.Image:
    share = rng.uniform(0.3, 0.7)
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.LANCZOS)


def same(image: Image.Image, rng: random.Random) -> Image.Image:
    del rng
    return image.copy()


def mirrored(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageOps.mirror(image) if rng.random() < 0.7 else ImageOps.flip(image)


def turned(image: Image.Image, rng: random.Random) -> Image.Image:
    turn = rng.choice(
        [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270]
    )
    return image.transpose(turn)


def tilted(image: Image.Image, rng: random.Random) -> Image.Image:
    """Turn by 1.5 to 5 degrees; half keep black corners, half are cut to the largest clean part."""
    degrees = rng.choice([-1, 1]) * rng.uniform(1.5, 5.0)
    turned_image = image.rotate(degrees, Image.Resampling.BICUBIC)
    if rng.random() < 0.5:
        return turned_image
    inset = 0.5 * abs(degrees) / 57.3
    dx = round((inset + 0.004) * image.height)
    dy = round((inset + 0.004) * image.width)
    return turned_image.crop((dx, dy, image.width - dx, image.height - dy))


def cropped(image: Image.Image, rng: random.Random) -> Image.Image:
    """Cut 5 to 15 % off each direction, at any place."""
    width = round(image.width * (1 - rng.uniform(0.05, 0.15)))
    height = round(image.height * (1 - rng.uniform(0.05, 0.15)))
    left = rng.randint(0, image.width - width)
    top = rng.randint(0, image.height - height)
    return image.crop((left, top, left + width, top + height))


def framed(image: Image.Image, rng: random.Random) -> Image.Image:
    border = round(min(image.size) * rng.uniform(0.03, 0.12))
    color = rng.choice(["white", "black", "#7a5230", "#d9d2c4", "#203a5c"])
    return ImageOps.expand(image, border, color)


def letterboxed(image: Image.Image, rng: random.Random) -> Image.Image:
    share = rng.uniform(0.10, 0.25)
    if rng.random() < 0.5:
        return ImageOps.expand(image, (0, round(image.height * share)), "black")
    return ImageOps.expand(image, (round(image.width * share), 0), "black")


def grey(image: Image.Image, rng: random.Random) -> Image.Image:
    del rng
    return image.convert("L").convert("RGB")


def brightened(image: Image.Image, rng: random.Random) -> Image.Image:
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(1.15, 1.5))
    return ImageEnhance.Contrast(image).enhance(rng.uniform(0.9, 1.2))


def watermarked(image: Image.Image, rng: random.Random) -> Image.Image:
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    font = ImageFont.load_default(size=max(12, image.width // 9))
    place = (
        rng.randint(0, image.width // 3),
        rng.randint(image.height // 2, image.height * 8 // 10),
    )
    draw.text(place, "SAMPLE photo", fill=(255, 255, 255, 150), font=font)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


EDITS: dict[str, EDIT] = {
    "resized": resized,
    "recompressed": same,
    "reformatted": same,
    "mirrored": mirrored,
    "turned": turned,
    "exif": same,
    "tilted": tilted,
    "cropped": cropped,
    "framed": framed,
    "letterboxed": letterboxed,
    "grey": grey,
    "brightened": brightened,
    "watermarked": watermarked,
}


def save(image: Image.Image, path: Path, kind: str, rng: random.Random) -> Path:
    """Write one copy in the format of its kind; return where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "reformatted":
        path = path.with_suffix(rng.choice([".png", ".webp"]))
        image.save(path)
    elif kind == "exif":
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = 6  # stored turned left; a viewer turns it right again
        image.transpose(Image.Transpose.ROTATE_90).save(path, quality=92, exif=exif)
    else:
        quality = rng.randint(25, 50) if kind == "recompressed" else rng.randint(75, 92)
        image.save(path, quality=quality)
    return path


def photos(source: Path, count: int) -> list[Path]:
    """Return readable photos of distinct content, in a fixed order, one of each content."""
    found: list[Path] = []
    seen: set[str] = set()
    for path in sorted(source.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or len(found) == count:
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        try:
            with Image.open(path) as image:
                fits = min(image.size) >= MINIMUM_SIDE
                image.convert("RGB")
        except (OSError, ValueError, SyntaxError):
            continue
        if fits and digest not in seen:
            seen.add(digest)
            found.append(path)
    return found


def make(source: Path, target: Path, *, count: int, seed: int) -> int:
    """Write the collection and its truth; return how many pictures it has."""
    rows: list[tuple[str, str, str]] = []
    for number, path in enumerate(photos(source, count)):
        family = f"p{number:04d}"
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        original = target / "originals" / f"{family}.jpg"
        original.parent.mkdir(parents=True, exist_ok=True)
        image.save(original, quality=92)
        rows.append((str(original.relative_to(target)), family, "original"))
        for kind, edit in EDITS.items():
            rng = random.Random(f"{seed}/{family}/{kind}")
            copy = save(edit(image, rng), target / kind / f"{family}.jpg", kind, rng)
            rows.append((str(copy.relative_to(target)), family, kind))
    with (target / "truth.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "family", "kind"])
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    count = make(arguments.source, arguments.target, count=arguments.photos, seed=arguments.seed)
    print(f"{count} pictures in {arguments.target}")


if __name__ == "__main__":
    main()
