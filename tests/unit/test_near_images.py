"""Signatures of pictures and the proof that two show the same."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from models.domain.near import MINIMUM_QUALITY, THUMB_SIDE, TURNS, VARIANTS
from tasks.dedupe.near.registration import shared_detail
from tasks.fingerprint.perceptual import hashes, pdq
from tasks.fingerprint.perceptual.pictures import open_upright, picture_views
from tasks.fingerprint.perceptual.trimming import inner_box

PLACEMENTS = np.array(VARIANTS, np.float64)


def scene(seed: int, width: int = 400, height: int = 300) -> Image.Image:
    """Return a picture with shapes and fine texture; the same for the same seed anywhere."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(30):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        color = tuple(int(value) for value in rng.integers(0, 256, 3))
        size = int(rng.integers(8, 60))
        draw.ellipse((x, y, x + size, y + size // 2), fill=color)
    return image


def views(image: Image.Image):
    return picture_views(image, "0" * 64)


def first_hashes(image: Image.Image) -> np.ndarray:
    return np.frombuffer(views(image)[0].hashes, "<u8")


def bits_between(one: bytes, two: bytes) -> int:
    return (int.from_bytes(one) ^ int.from_bytes(two)).bit_count()


def likeness(original: Image.Image, copy: Image.Image) -> float:
    """Return the shared detail at the placement that the hashes suggest."""
    best = (65, 0.0)
    for ours, theirs in ((original, copy), (copy, original)):
        for shown in views(ours):
            for target in views(theirs):
                aim = np.frombuffer(target.hashes, "<u8")[0]
                distances = np.bitwise_count(np.frombuffer(shown.hashes, "<u8") ^ aim)
                variant = int(distances.argmin())
                thumbs = [
                    np.frombuffer(view.thumb, np.uint8).reshape(THUMB_SIDE, THUMB_SIDE)
                    for view in (shown, target)
                ]
                if distances[variant] < best[0]:
                    detail = shared_detail(thumbs[0], thumbs[1], PLACEMENTS[variant])[0]
                    best = (int(distances[variant]), float(detail))
    return best[1]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_phash_and_dhash_equal_imagehash_on_png(mode):
    imagehash = pytest.importorskip("imagehash", reason="imagehash is the yardstick")
    for seed in range(20):
        sink = io.BytesIO()
        scene(seed).convert(mode).save(sink, "PNG")
        sink.seek(0)
        picture = Image.open(sink)
        view = views(picture)[0]
        assert view.phash.hex() == str(imagehash.phash(picture))
        assert view.dhash.hex() == str(imagehash.dhash(picture))


def test_phash_of_a_draft_decoded_jpeg_is_within_two_bits_of_imagehash():
    imagehash = pytest.importorskip("imagehash", reason="imagehash is the yardstick")
    for seed in range(12):
        sink = io.BytesIO()
        scene(seed, 1600, 1200).save(sink, "JPEG", quality=90)
        whole = bytes.fromhex(str(imagehash.phash(Image.open(io.BytesIO(sink.getvalue())))))
        picture = open_upright(io.BytesIO(sink.getvalue()))
        assert picture.size == (400, 300)
        assert bits_between(views(picture)[0].phash, whole) <= 2


def test_pdq_equals_the_reference_library():
    """Vectors made with pdqhash 0.2.8 from `scene(seed)`'s luminance."""
    for seed, quality, text in PDQ_VECTORS:
        small = pdq.averaged(np.asarray(scene(seed).convert("L")))
        assert (pdq.quality(small), pdq.hash_of(small).hex()) == (quality, text)


PDQ_VECTORS = [
    (0, 100, "8a5964e631f4bb87cc1cf2a9c7787f86f51b18eac25f5b9138c580eb8709470c"),
    (1, 100, "38c7c64a2aac61b99b32e7261ac72ce29acf8cc6d1d13139d72eb30e270d9d47"),
    (2, 100, "97268c8cbcdef0fc633e2c781c99998c7331276927129a91a4ed44f57678a91b"),
    (3, 100, "2da4cd36d973434c5869d3cb1a70e98624e226c4b4e3d93b92d5d31c6f236dc9"),
    (4, 100, "2f19a63db7a9f8a88cc78ce69f82783c431e07877b9aba508ca10db2fb323e41"),
    (5, 100, "58e5a518c4a774365b497b598cc6549063985ed5b319dc2e48e5713b5f873d23"),
]


def test_exif_orientation_is_applied():
    image = scene(3)
    sink = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(sink, "JPEG", quality=95, exif=exif)
    upright = open_upright(io.BytesIO(sink.getvalue()))
    assert upright.size == image.size
    assert bits_between(views(upright)[0].phash, views(image)[0].phash) <= 2


def test_the_eight_turns_are_the_hashes_of_the_turned_picture():
    image = scene(5, 320, 320)
    ours = first_hashes(image)
    transposed = image.transpose(Image.Transpose.TRANSPOSE)
    turned = []
    for base in (image, transposed):
        turned += [base, ImageOps.flip(base), ImageOps.mirror(base)]
        turned.append(ImageOps.mirror(ImageOps.flip(base)))
    for place, copy in enumerate(turned):
        assert np.bitwise_count(ours[place] ^ first_hashes(copy)[0]) <= 2, place


def test_each_variant_hash_is_the_hash_of_what_its_placement_shows():
    image = scene(8, 640, 640).convert("L")
    ours = first_hashes(image)
    for place, (a, b, c, d, e, f) in enumerate(VARIANTS):
        shown = image.transform(
            image.size,
            Image.Transform.AFFINE,
            (a, b, c * 640, d, e, f * 640),
            Image.Resampling.BILINEAR,
        )
        assert np.bitwise_count(ours[place] ^ first_hashes(shown)[0]) <= 4, place


def test_turns_are_exact_permutations():
    corners = {tuple(round(value, 6) for value in turn) for turn in TURNS}
    assert len(corners) == 8
    assert TURNS[0] == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize("color", ["white", "black", "#7a5230"])
def test_a_uniform_border_is_left_out(color):
    image = scene(9)
    framed = ImageOps.expand(image, 30, color)
    box = inner_box(np.asarray(framed.convert("L")))
    assert box is not None
    assert np.abs(np.array(box) - (30, 30, 430, 330)).max() <= 2
    assert len(views(framed)) == 2


def test_a_picture_without_border_has_one_view_and_a_tiny_one_none():
    assert inner_box(np.asarray(scene(10).convert("L"))) is None
    assert len(views(scene(10))) == 1
    assert views(scene(10).resize((12, 12))) == []


def test_blank_and_flat_pictures_are_of_low_quality():
    for image in (
        Image.new("RGB", (300, 200), "white"),
        Image.linear_gradient("L").resize((300, 200)),
    ):
        assert all(view.quality < MINIMUM_QUALITY for view in views(image))
    assert views(scene(1))[0].quality >= MINIMUM_QUALITY


def test_transparent_pictures_are_seen_on_white():
    image = scene(11).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    flat = Image.new("RGB", image.size, "white")
    flat.paste(image, mask=image.getchannel("A"))
    one, two = views(image)[0], views(flat)[0]
    assert (
        np.abs(
            np.frombuffer(one.thumb, np.uint8) - np.frombuffer(two.thumb, np.uint8).astype(int)
        ).max()
        <= 2
    )


COPIES = {
    "mirrored": ImageOps.mirror,
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "smaller": lambda image: image.resize((150, 112)),
    "tilted": lambda image: image.rotate(3.0, Image.Resampling.BICUBIC),
    "cropped at a corner": lambda image: image.crop((0, 0, 345, 260)),
    "cropped at the middle": lambda image: image.crop((20, 15, 380, 285)),
    "framed": lambda image: ImageOps.expand(image, 24, "#203a5c"),
    "letterboxed": lambda image: ImageOps.expand(image, (0, 50), "black"),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "brighter": lambda image: image.point(lambda value: min(255, int(value * 1.25))),
}


@pytest.mark.parametrize("kind", COPIES)
def test_copies_share_their_detail_and_others_do_not(kind):
    for seed in range(3):
        copy = COPIES[kind](scene(seed))
        assert likeness(scene(seed), copy) >= 0.85
        assert likeness(scene(seed + 50), copy) < 0.6


def test_the_hash_of_a_picture_does_not_depend_on_what_was_hashed_before():
    alone = hashes.variant_hashes(np.asarray(scene(2).convert("L").resize((64, 64))))
    hashes.variant_hashes(np.asarray(scene(4).convert("L").resize((64, 64))))
    assert hashes.variant_hashes(np.asarray(scene(2).convert("L").resize((64, 64)))) == alone
