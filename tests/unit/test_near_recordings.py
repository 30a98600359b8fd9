"""Recordings and films that sound or look the same."""

import numpy as np
import pytest
from PIL import Image

from models.domain.near import FilmFrame, SoundPrint
from tasks.dedupe.near.films import FilmSearch
from tasks.dedupe.near.sounds import SoundSearch, agreement
from tasks.dedupe.near.stars import find_stars
from tasks.fingerprint.perceptual.film import (
    animation_shots,
    film_prints,
    film_shots,
    step_ms,
    times_of,
    visiting_order,
)
from tasks.fingerprint.perceptual.sound import RATE_HZ, decoded_sound, sound_codes, sound_print
from warehouse.schemas.arrow import to_table


def tune(seed: int, seconds: float = 12.0) -> np.ndarray:
    """Return a melody with overtones and a little noise."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE_HZ)
    time = np.arange(count) / RATE_HZ
    sound = rng.normal(0, 0.005, count)
    start = 0.0
    while start < seconds - 0.5:
        pitch = 220 * 2 ** (int(rng.integers(0, 24)) / 12)
        length = float(rng.choice([0.2, 0.3, 0.5]))
        note = (time >= start) & (time < start + 2 * length)
        local = time[note] - start
        for overtone in (1, 2, 3):
            wave = np.sin(2 * np.pi * pitch * overtone * local) / overtone
            sound[note] += 0.2 * np.exp(-4 * local / length) * wave
        start += length
    return sound.astype(np.float32)


def sound_groups(sounds: dict[str, np.ndarray]) -> list[set[str]]:
    prints = [
        sound_print(samples, len(samples) / RATE_HZ, name.rjust(64, "0"))
        for name, samples in sounds.items()
    ]
    search = SoundSearch(to_table([made for made in prints if made], SoundPrint).to_batches())
    names = [sha256.lstrip("0") for sha256 in search.contents]
    stars = find_stars(range(len(names)), search)
    return [{names[star.keeper], *(names[p.other] for p in star.members)} for star in stars]


def test_the_same_tune_quieter_noisier_and_later_is_one_group():
    rng = np.random.default_rng(0)
    original = tune(1)
    noisy = original + rng.normal(0, 0.0005, len(original)).astype(np.float32)
    late = np.concatenate([np.zeros(RATE_HZ, np.float32), original])
    sounds = {"1": original, "2": original * 0.3, "3": noisy, "4": late, "5": tune(2), "6": tune(3)}
    assert sound_groups(sounds) == [{"1", "2", "3", "4"}]


def test_unrelated_tunes_agree_as_chance_does():
    codes = [sound_codes(tune(seed)) for seed in range(8)]
    assert all(agreement(codes[0], other) < 0.2 for other in codes[1:])
    assert agreement(codes[0], codes[0]) == 1.0


def test_silence_and_short_sounds_have_no_signature():
    assert sound_print(np.zeros(20 * RATE_HZ, np.float32), 20.0, "0" * 64) is None
    assert sound_print(tune(1, 2.0), 2.0, "0" * 64) is None


@pytest.mark.parametrize(("codec", "suffix"), [("libmp3lame", "mp3"), ("aac", "m4a")])
def test_a_codec_keeps_the_codes(tmp_path, codec, suffix):
    av = pytest.importorskip("av")
    samples = np.repeat(tune(4), 4)  # 22,048 Hz, near enough to 22,050
    path = tmp_path / f"tune.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=22050)
        stream.layout = "mono"
        stream.bit_rate = 48_000
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.rate = 22050
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=22050, frame_size=1024)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    with path.open("rb") as file:
        decoded, duration_s = decoded_sound(file, None, {})
    assert duration_s == pytest.approx(12.0, abs=0.2)
    assert agreement(sound_codes(tune(4)), sound_codes(decoded)) > 0.6


def shots(seed: int, seconds: int = 20) -> tuple[list[tuple[int, np.ndarray]], int]:
    """Return a film of a camera that moves over a large picture."""
    rng = np.random.default_rng(seed)
    large = Image.fromarray(rng.integers(0, 256, (40, 60), dtype=np.uint8))
    wide = np.asarray(large.resize((1200, 800), Image.Resampling.BICUBIC))
    duration = seconds * 1000
    return [
        (at, wide[(at // 40) % 600 :][:160, (at // 25) % 900 :][:, :240])
        for at in times_of(duration)
    ], duration


def film_groups(films: dict[str, tuple[list[tuple[int, np.ndarray]], int]]) -> list[set[str]]:
    rows = [
        row
        for name, (seen, duration) in films.items()
        for row in film_prints(seen, duration, name.rjust(64, "0"))
    ]
    search = FilmSearch(to_table(rows, FilmFrame).to_batches())
    names = [sha256.lstrip("0") for sha256 in search.contents]
    stars = find_stars(range(len(names)), search)
    return [{names[star.keeper], *(names[p.other] for p in star.members)} for star in stars]


def test_a_film_letterboxed_darker_and_smaller_is_one_group():
    seen, duration = shots(1)
    boxed = [(at, np.pad(grey, ((30, 30), (0, 0)))) for at, grey in seen]
    darker = [(at, (grey * 0.8).astype(np.uint8)) for at, grey in seen]
    smaller = [(at, grey[::2, ::2].copy()) for at, grey in seen]
    films = {
        "1": (seen, duration),
        "2": (boxed, duration),
        "3": (darker, duration + 40),
        "4": (smaller, duration),
        "5": shots(2),
    }
    assert film_groups(films) == [{"1", "2", "3", "4"}]


def test_an_excerpt_is_no_copy():
    seen, duration = shots(1, 40)
    part = [(at, grey) for at, grey in seen if at < 15_000]
    assert film_groups({"1": (seen, duration), "2": (part, 15_000)}) == []


def test_times_are_shared_between_films_of_different_length():
    assert visiting_order(5) == [0, 4, 2, 1, 3]
    assert sorted(visiting_order(64)) == list(range(64))
    for short, long in ((3000, 9000), (9000, 60_000), (60_000, 7_200_000)):
        few, many = set(times_of(long)), set(times_of(short))
        assert {at for at in few if at < min(short, max(many))} <= many
    assert step_ms(64_000) == 1000
    assert step_ms(64_001) == 2000
    assert len(times_of(10 * 3600 * 1000)) <= 64


def test_an_animation_is_seen_by_the_times_of_its_frames(tmp_path):
    frames = [Image.fromarray(grey) for _, grey in sorted(shots(3)[0])[:12]]
    path = tmp_path / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=250, loop=0)
    with Image.open(path) as picture:
        seen, duration = animation_shots(picture)
    assert duration == 3000
    assert [at for at, _ in seen] == sorted(times_of(3000))
    assert len(film_prints(seen, duration, "0" * 64)) == len(seen)


def test_a_damaged_film_gives_what_can_be_seen(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "film.mkv"
    seen, _ = shots(1, 10)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 240, 160, "yuv420p"
        for _, grey in sorted(seen) * 4:
            frame = av.VideoFrame.from_ndarray(np.repeat(grey[:, :, None], 3, 2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    whole = path.read_bytes()
    damaged = tmp_path / "damaged.mkv"
    damaged.write_bytes(whole[: len(whole) // 2])
    with path.open("rb") as file:
        complete, duration = film_shots(file, None, {})
    with damaged.open("rb") as file:
        partial, _ = film_shots(file, None, {})
    assert duration == pytest.approx(4000, abs=600)
    assert 0 < len(partial) < len(complete)
