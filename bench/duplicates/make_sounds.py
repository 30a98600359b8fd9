"""Copies of real recordings in other codecs and at other levels, with their truth beside them.

Run: `python -m bench.duplicates.make_sounds SOURCE TARGET`. SOURCE is any folder of recordings;
long ones are cut into pieces of 12 s, each a recording of its own. TARGET gets one folder a kind of
copy and `truth.csv` (`path,family,kind`).
"""

import argparse
import csv
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 44_100
PIECE_S = 12
LEAST_S = 3.5
MOST_PIECES = 40
TUNES = 30
"""Tunes made up beside them, for collections with few recordings."""
Samples = NDArray[np.float32]

KINDS: dict[str, tuple[str, str, int, float]] = {
    "flac": ("flac", "flac", 0, 1.0),
    "mp3": ("mp3", "libmp3lame", 64_000, 1.0),
    "wma": ("asf", "wmav2", 96_000, 1.0),
    "opus": ("ogg", "libopus", 48_000, 1.0),
    "aac": ("mp4", "aac", 96_000, 1.0),
    "quieter": ("mp3", "libmp3lame", 128_000, 0.35),
    "late": ("flac", "flac", 0, 1.0),
}
"""Container, encoder, bits a second, gain; `late` begins half a second later."""
_SUFFIXES = {"flac": "flac", "mp3": "mp3", "ogg": "ogg", "mp4": "m4a", "asf": "wma"}


def decoded(path: Path) -> Samples:
    """Return (n,) mono samples at `RATE`."""
    resampler = av.AudioResampler("flt", "mono", RATE)
    parts: list[Samples] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            parts += [out.to_ndarray().ravel() for out in resampler.resample(frame)]
    return np.concatenate(parts).astype(np.float32)


def pieces(source: Path) -> list[Samples]:
    """Return recordings of distinct sound."""
    found: list[Samples] = []
    seen: set[bytes] = set()
    for path in sorted(source.rglob("*")):
        if not path.is_file():
            continue
        try:
            samples = decoded(path)
        except (av.FFmpegError, IndexError, ValueError):  # no sound in it
            continue
        for start in range(0, len(samples), PIECE_S * RATE):
            piece = samples[start : start + PIECE_S * RATE]
            outline = np.round(np.abs(piece[::4410]), 2).tobytes()
            is_loud = len(piece) > LEAST_S * RATE and float(np.abs(piece).mean()) > 0.005
            if is_loud and outline not in seen and len(found) < MOST_PIECES:
                seen.add(outline)
                found.append(piece)
    return found


def tune(seed: int) -> Samples:
    """Return a made-up tune: notes with overtones, a beat, some noise; the same for a seed."""
    rng = np.random.default_rng(seed)
    at = np.arange(PIECE_S * RATE) / RATE
    total = rng.normal(0, 0.004, len(at))
    step_s = float(rng.uniform(0.18, 0.4))
    for start in np.arange(0, PIECE_S, step_s):
        here = at - start
        sounding = (here >= 0) & (here < 1.2)
        for _ in range(int(rng.integers(1, 4))):
            pitch = 110 * 2 ** (int(rng.integers(0, 36)) / 12)
            fade = 0.12 * np.exp(-3 * here[sounding])
            for overtone, share in ((1, 1.0), (2, 0.5), (3, 0.3)):
                wave = np.sin(2 * np.pi * pitch * overtone * here[sounding])
                total[sounding] += share * fade * wave
    return np.clip(total, -1, 1).astype(np.float32)


def encode(samples: Samples, path: Path, container: str, encoder: str, bit_rate: int) -> None:
    """Write samples as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=container) as sink:
        stream: Any = sink.add_stream(encoder, rate=48_000 if encoder == "libopus" else RATE)
        stream.layout = "mono"
        if bit_rate:
            stream.bit_rate = bit_rate
        resampler = av.AudioResampler(stream.format.name, "mono", stream.rate)
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="fltp", layout="mono")
        frame.sample_rate = RATE
        fifo = av.AudioFifo()
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            part.pts = None
            fifo.write(part)
        size = stream.codec_context.frame_size or 4096
        while (chunk := fifo.read(size, partial=True)) is not None:
            for packet in stream.encode(chunk):
                sink.mux(packet)
        for packet in stream.encode(None):
            sink.mux(packet)


def make(source: Path, target: Path) -> int:
    """Write the recordings and their truth; return how many there are."""
    rows: list[tuple[str, str, str]] = []
    recordings = [*pieces(source), *(tune(seed) for seed in range(TUNES))]
    for number, samples in enumerate(recordings):
        for kind, (container, encoder, bit_rate, gain) in KINDS.items():
            path = target / kind / f"s{number:03d}.{_SUFFIXES[container]}"
            shown = samples[RATE // 2 :] if kind == "late" else samples
            encode(shown * np.float32(gain), path, container, encoder, bit_rate)
            rows.append((str(path.relative_to(target)), f"s{number}", kind))
    with (target / "truth.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "family", "kind"])
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    print(f"{make(arguments.source, arguments.target)} recordings in {arguments.target}")


if __name__ == "__main__":
    main()
