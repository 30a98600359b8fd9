"""Collections to measure on: a gigabyte of mixed files, and many files with their copies.

All of it is made from seeds, of real bytes (nothing sparse), and each photo decodes in full.
"""

import io
import random
import shutil
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image

MB = 1_000_000
SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "data"
WORDS = ("the", "of", "and", "archive", "holiday", "invoice", "project", "meeting", "report")

MIXTURE = (
    "300 MB of JPEG photos of 12 MP, 240 MB of video (MP4), 120 MB of audio (WAV), "
    "120 MB of ZIP archives, 60 MB of PDF, 70 MB of text files of 1 to 40 KB"
)
"""What `mixed` makes; with the sample collection (91 MB in 2,899 files) where it is there."""


def _bytes(seed: int, count: int) -> bytes:
    return random.Random(seed).randbytes(count)


def _photo(seed: int, width: int, height: int) -> bytes:
    """Return a JPEG with the detail of a real photo: noise over soft shapes."""
    shapes = Image.frombytes("RGB", (32, 24), _bytes(seed, 32 * 24 * 3))
    shapes = shapes.resize((width, height), Image.Resampling.BICUBIC)
    noise = Image.effect_noise((width, height), 40).convert("RGB")
    buffer = io.BytesIO()
    Image.blend(shapes, noise, 0.25).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def renamed_photo(photo: bytes, seed: int, padding: int = 24) -> bytes:
    """Return a JPEG of the same pixels and other bytes: a comment segment after its beginning."""
    comment = _bytes(seed, min(padding, 65_000)).replace(b"\xff", b"\xfe")
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    return photo[:2] + segment + photo[2:]


def text(seed: int, size: int) -> bytes:
    """Return prose of about `size` bytes."""
    chance = random.Random(seed)
    line = " ".join(chance.choices(WORDS, k=60))
    lines = (f"{number} {chance.random()} {line}\n" for number in range(max(1, size // len(line))))
    return "".join(lines).encode()


def _video(path: Path) -> bytes:
    """Return a second of MPEG-4."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for number in range(25):
            picture = Image.new("RGB", (1280, 720), (number * 10, 60, 200))
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    found = path.read_bytes()
    path.unlink()
    return found


def _padded_video(clip: bytes, seed: int, size: int) -> bytes:
    """Return the clip with a `free` box behind it: as large as a film, as parsers see one."""
    padding = _bytes(seed, size - len(clip) - 8)
    return clip + (len(padding) + 8).to_bytes(4, "big") + b"free" + padding


def _audio(seed: int, size: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(44_100)
        sound.writeframes(_bytes(seed, size // 4 * 4))
    return buffer.getvalue()


def _archive(seed: int, size: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(10):
            archive.writestr(f"part {number}.bin", _bytes(seed * 100 + number, size // 10))
    return buffer.getvalue()


def _document(seed: int) -> bytes:
    """Return a PDF of one scanned page."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(_photo(seed, 1654, 2339))).save(buffer, "PDF", title=f"scan {seed}")
    return buffer.getvalue()


def _fill(folder: Path, total: int, name: str, make: Callable[[int], bytes]) -> None:
    folder.mkdir(parents=True)
    written = number = 0
    while written < total:
        written += (folder / name.format(number)).write_bytes(make(number))
        number += 1


def mixed(folder: Path, *, scale: float = 1.0) -> Path:
    """Make the collection of `MIXTURE`, or a share of it, and add the sample collection."""
    photos = [_photo(seed, 4000, 3000) for seed in range(4)]
    folder.mkdir(parents=True)
    clip = _video(folder / "clip.mp4")
    kinds: tuple[tuple[str, float, str, Callable[[int], bytes]], ...] = (
        ("photos", 300, "IMG_{:04d}.jpg", lambda n: renamed_photo(photos[n % len(photos)], n)),
        ("films", 240, "film {}.mp4", lambda n: _padded_video(clip, n, int(80 * MB * scale))),
        ("audio", 120, "track {}.wav", lambda n: _audio(n, int(24 * MB * scale))),
        ("archives", 120, "backup {}.zip", lambda n: _archive(n, int(30 * MB * scale))),
        ("documents", 60, "scan {}.pdf", _document),
        ("texts", 70, "note {}.txt", lambda n: text(n, random.Random(n).randint(1000, 40_000))),
    )
    for name, size, pattern, make in kinds:
        _fill(folder / name, int(size * MB * scale), pattern, make)
    if SAMPLES.is_dir() and scale == 1.0:
        shutil.copytree(SAMPLES, folder / "samples")
    return folder


def with_copies(folder: Path, files: int) -> Path:
    """Make `files` files of 42 KB on average, one in five a copy of another, in folders of 200.

    Half are prose, half are JPEG pictures with their own comments; sizes are log-normal, as in
    real collections, and one group in ten has up to eight members.
    """
    chance = random.Random(85_000)
    picture = _photo(7, 96, 72)
    originals: list[Path] = []
    for number in range(files):
        part = folder / f"box {number // 200:04d}"
        part.mkdir(parents=True, exist_ok=True)
        if originals and chance.random() < 0.2:
            original = originals[-1] if chance.random() < 0.3 else chance.choice(originals)
            shutil.copy(original, part / f"copy {number}{original.suffix}")
            continue
        size = min(int(chance.lognormvariate(9.6, 1.5)) + 200, 4 * MB)
        if number % 2:
            path = part / f"note {number}.txt"
            path.write_bytes(text(number, size))
        else:
            path = part / f"IMG_{number}.jpg"
            path.write_bytes(renamed_photo(picture, number) + _bytes(number, size))
        originals.append(path)
    return folder


def describe(folder: Path) -> str:
    """Return how many files and bytes are below a folder."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{len(sizes):,} files, {sum(sizes) / 1e9:.2f} GB"
