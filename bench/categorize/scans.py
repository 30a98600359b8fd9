"""Labeled texts printed, scanned and read again: what reading scans is worth, and what it costs."""

import hashlib
import importlib
import io
import textwrap
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from bench.categorize import scores
from bench.categorize.labeled import Labeled, balanced
from bench.measure import Meter
from models.domain.embeddings import TextContent
from models.domain.sampling import sampled
from models.settings import Settings
from storage.opening import canonical_url, open_store
from tasks.categorize.head import Head
from tasks.fingerprint.children import ParserPool
from tasks.fingerprint.scan_text import LONGEST_SIDE, open_engine
from tasks.fingerprint.scans import scan_limits
from tasks.fingerprint.texts import read_texts

SCANS_EACH = 4
"""Pages of each category."""
PAGE = (1240, 1754)
"""Pixels of A4 at 150 dpi."""
_MARGIN, _LETTERS, _LINE_PIXELS, _LINES = 110, 84, 30, 48
_TILT_DEGREES, _NOISE = 0.6, 9.0


def scanned(text: str, seed: int) -> bytes:
    """Return a text as a scanner would give its page: grey, tilted, grainy, a JPEG."""
    from PIL import Image, ImageDraw, ImageFont

    rng = np.random.default_rng(seed)
    page = Image.new("L", PAGE, 244)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=22)
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, _LETTERS)]
    for number, line in enumerate(lines[:_LINES]):
        draw.text((_MARGIN, _MARGIN + number * _LINE_PIXELS), line, fill=40, font=font)
    tilt = float(rng.uniform(-_TILT_DEGREES, _TILT_DEGREES))
    page = page.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=244)
    grain = rng.normal(0, _NOISE, (PAGE[1], PAGE[0]))
    seen = np.clip(np.asarray(page, np.float32) + grain, 0, 255).astype(np.uint8)
    sink = io.BytesIO()
    Image.fromarray(seen).save(sink, "JPEG", quality=75, dpi=(150, 150))
    return sink.getvalue()


def plainly(pages: list[Path]) -> None:
    """Read pages by RapidOCR as one would without more, on one thread."""
    from PIL import Image

    rapidocr = importlib.import_module("rapidocr")
    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    engine = rapidocr.RapidOCR(
        params={"Global.log_level": "critical", "Global.use_cls": False, **threads}
    )
    for path in pages:
        with Image.open(path) as opened:
            page = opened.convert("RGB")
        page.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        engine(np.ascontiguousarray(np.asarray(page)[:, :, ::-1]))


def scan_lines(
    data: Labeled,
    prior: Head,
    embed: Callable[[list[str]], NDArray[np.float32]],
    settings: Settings,
) -> list[str]:
    """Return the accuracy by texts, by scans of them that were read, and the pages a CPU second."""
    chosen = _each(data)
    truth = data.labels[chosen]
    texts = [data.texts[at] for at in chosen]
    with TemporaryDirectory() as folder:
        store, limits = open_store(canonical_url(folder)), scan_limits(settings)
        contents: list[TextContent] = []
        for number, text in enumerate(texts):
            page = scanned(text, number)
            path = Path(folder) / f"{number:03d}.jpg"
            path.write_bytes(page)
            contents.append(
                TextContent(
                    sha256=hashlib.sha256(page).hexdigest(),
                    key=path.name,
                    label="jpeg",
                    size_bytes=len(page),
                    version=store.stat(path.name).version,
                )
            )
        with ParserPool(limits) as parser:
            read_texts(contents[:1], source=store, parser=parser, threads=1, scans=True)
            with Meter() as ours:
                found = read_texts(contents, source=store, parser=parser, threads=1, scans=True)
        open_engine()
        paths = [Path(folder) / content.key for content in contents]
        plainly(paths[:1])
        with Meter() as plain:
            plainly(paths)
    by_content = {each.sha256: each.sample for each in found}
    read = [by_content.get(content.sha256, "") for content in contents]
    order = np.argsort([data.names.index(label.category) for label in prior.labels])
    by_text, by_scan = (
        scores.top(prior.probabilities(embed([sampled(each) for each in said]))[:, order], truth, 1)
        for said in (texts, read)
    )
    rate, plain_rate = len(contents) / ours.cpu_s, len(contents) / plain.cpu_s
    return [
        (
            f"{len(contents)} of these texts printed, tilted by up to {_TILT_DEGREES} degrees, "
            f"made grainy and scanned as JPEG at 150 dpi: {sum(map(bool, read))} were read, and "
            f"{by_scan:.3f} come to their category, as {by_text:.3f} do by the texts themselves; "
            "without reading them none does, they stay `Scans`."
        ),
        (
            f"Scans a CPU second: {rate:.2f} in confined children, {plain_rate:.2f} by RapidOCR "
            f"alone: {rate / plain_rate:.2f} of it."
        ),
    ]


def _each(data: Labeled) -> NDArray[np.intp]:
    """Return some texts of each category, in turn."""
    alike = balanced(data.labels)
    kinds = range(len(data.names))
    return np.concatenate([alike[data.labels[alike] == kind][:SCANS_EACH] for kind in kinds])
