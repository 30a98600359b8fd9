"""Categorization: kinds, zero-shot, learning beside a bag of words, confidence, speed.

Run: `make bench-categorize` (after `fileorganizer models pull all-minilm-l6-v2`), or
`python -m bench.categorize.run [--data ../shared/data]`. The peer is what
paperless-ngx trains: word and word-pair counts and scikit-learn's multilayer perceptron, with its
parameters. The figures go into docs/categorization.md and its picture.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.categorize import scores
from bench.categorize.kinds import fingerprints_of, kinds_of, truth_of
from bench.categorize.labeled import Labeled, balanced, drawn, labeled_texts, taxonomy
from bench.categorize.pictures import picture_speed
from bench.categorize.scans import scan_lines
from models.domain.embeddings import TextContent, TextEvidence
from models.domain.fingerprint import Fingerprint
from models.domain.taxonomy import Correction
from models.settings import Settings
from tasks.categorize.embedders import text_embedder
from tasks.categorize.head import Examples, Head, fitted_head, matrix_of, prior_head, prompts_of
from tasks.categorize.understanding import judge_of, judged_texts
from tasks.categorize.vectors import Vectors
from warehouse.store.parts import open_lake

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "categorization.md"
PICTURE = ROOT / "docs" / "pictures" / "categorize-risk.svg"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
COUNTS = (5, 20, 100)
DRAWS = 12
MANY = (200, 400)
SPEED_TEXTS = 200


def bag_of_words(data: Labeled, taught: NDArray[np.intp], seed: int) -> NDArray[np.float64]:
    """Return (n, k) probabilities as paperless-ngx' classifier would give them."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.neural_network import MLPClassifier

    shape: dict[str, Any] = {"analyzer": "word", "ngram_range": (1, 2), "min_df": 0.01}
    counter = CountVectorizer(**shape)
    counts = counter.fit_transform([data.texts[at] for at in taught])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it stops before it has converged, as it does there
        peer = MLPClassifier(tol=0.01, random_state=seed).fit(counts, data.labels[taught])
    found = np.zeros((len(data.texts), len(data.names)))
    found[:, peer.classes_] = peer.predict_proba(counter.transform(data.texts))
    return found


def taught_head(prior: Head, data: Labeled, vectors: Any, taught: NDArray[np.intp]) -> Head:
    """Return our classifier after some corrections."""
    said = [
        Correction(sha256=data.hashes[at], category=data.names[data.labels[at]]) for at in taught
    ]
    return fitted_head(prior, Examples(corrections=said, vectors=vectors[taught]))


def learning(data: Labeled, vectors: NDArray[np.float32], prior: Head) -> list[str]:
    """Return the table of accuracies by number of corrections, and write the picture."""
    zero = prior.probabilities(vectors)
    order = [data.names.index(label.category) for label in prior.labels]
    back = np.argsort(order)
    zero, chosen = zero[:, back], balanced(data.labels)
    lines = [
        "| corrections | ours, top-1 | top-3 | calibration error | bag of words, top-1 | top-3 |",
        "|---|---|---|---|---|---|",
        (
            f"| none | {scores.top(zero, data.labels, 1):.3f}"
            f" | {scores.top(zero, data.labels, 3):.3f}"
            f" | {scores.calibration_error(zero[chosen], data.labels[chosen]):.3f} | - | - |"
        ),
    ]
    curves = {"no corrections": scores.risk_coverage(zero[chosen], data.labels[chosen])}
    thresholds = {"no": scores.at_threshold(zero[chosen], data.labels[chosen], 0.5)}
    for count in COUNTS:
        rows: list[tuple[float, ...]] = []
        for seed in range(DRAWS):
            taught = drawn(data.labels, count, seed)
            held = np.setdiff1d(np.arange(len(data.labels)), taught)
            ours = taught_head(prior, data, vectors, taught).probabilities(vectors)[:, back]
            peer = bag_of_words(data, taught, seed)
            inside = np.setdiff1d(chosen, taught)
            rows.append(
                (
                    scores.top(ours[held], data.labels[held], 1),
                    scores.top(ours[held], data.labels[held], 3),
                    scores.calibration_error(ours[inside], data.labels[inside]),
                    scores.top(peer[held], data.labels[held], 1),
                    scores.top(peer[held], data.labels[held], 3),
                    *scores.at_threshold(ours[inside], data.labels[inside], 0.5),
                )
            )
            if seed == 0 and count == COUNTS[-1]:
                name = f"{count} corrections"
                curves[name] = scores.risk_coverage(ours[inside], data.labels[inside])
                peers = scores.risk_coverage(peer[inside], data.labels[inside])
                curves[f"bag of words, {name}"] = peers
        mean = np.mean(rows, axis=0)
        lines.append(f"| {count} | " + " | ".join(f"{value:.3f}" for value in mean[:5]) + " |")
        thresholds[str(count)] = (float(mean[5]), float(mean[6]))
    PICTURE.write_text(scores.picture(curves))
    lines.append("")
    lines += [
        f"At the threshold of 0.5, {count} corrections, {share:.0%} are decided and "
        f"{wrong:.0%} of those are wrong."
        for count, (share, wrong) in thresholds.items()
    ]
    return lines


def steps_or_not(data: Labeled, vectors: NDArray[np.float32], prior: Head) -> list[str]:
    """Return calibration errors by many corrections, with isotonic steps and by temperature alone.

    Here corrections are drawn at random: of the rarest categories there are too few to take turns.
    """
    lines = ["| corrections at random | with steps | by temperature alone |", "|---|---|---|"]
    for count in MANY:
        rows: list[tuple[float, float]] = []
        for seed in range(DRAWS):
            taught = np.random.default_rng(seed).permutation(len(data.labels))[:count]
            held = np.setdiff1d(np.arange(len(data.labels)), taught)
            head = taught_head(prior, data, vectors, taught)
            order = [data.names.index(label.category) for label in head.labels]
            found = head.probabilities(vectors)[:, np.argsort(order)][held]
            plain = found.max(axis=1)
            stepped = np.array([head.confidence(float(share)) for share in plain])
            right = found.argmax(axis=1) == data.labels[held]
            errors = [scores.binned_error(each, right) for each in (stepped, plain)]
            rows.append((errors[0], errors[1]))
        mean = np.mean(rows, axis=0)
        lines.append(f"| {count} | {mean[0]:.3f} | {mean[1]:.3f} |")
    return lines


def speed(data: Labeled, settings: Settings) -> list[str]:
    """Return texts a CPU second of the whole pipeline beside those of the bare model."""
    embedder: Any = text_embedder(settings)
    tokenizer, session = embedder._tokenizer, embedder._session  # noqa: SLF001 - the bare one
    step = max(1, len(data.texts) // SPEED_TEXTS)
    texts, hashes = data.texts[::step], data.hashes[::step]

    def bare() -> None:
        for text in texts:
            ids = np.array([tokenizer.encode(text).ids], np.int64)
            session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})

    with TemporaryDirectory() as folder:
        vectors = Vectors(open_lake(folder), embedder)
        judge = judge_of(vectors, taxonomy(), [])
        contents = [
            TextContent(sha256=h, key=f"{n:04d}.txt", label="txt", size_bytes=1, version="1")
            for n, h in enumerate(hashes)
        ]
        evidence = {
            h: TextEvidence(sha256=h, version=1, text=text, source="text")
            for h, text in zip(hashes, texts, strict=True)
        }

        if judge is None:
            raise AssertionError("it has sentences")

        def whole() -> None:
            judged_texts(
                contents, evidence, vectors, judge, review_below=0.5, made_by=str(time.time_ns())
            )

        bare()
        first, plain = _cpu_s(whole), _cpu_s(bare)
        again = _cpu_s(whole)
    rate, plain_rate = len(texts) / first, len(texts) / plain
    return [
        (
            f"Texts a CPU second: {rate:.0f} with vectors kept, decisions and reasons, "
            f"{plain_rate:.0f} by the bare model: {rate / plain_rate:.2f} of it. "
            f"A second time, from the cache: {len(texts) / again:.0f}."
        )
    ]


def _cpu_s(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def kinds(collection: Path, files: list[Fingerprint]) -> list[str]:
    """Return how the kinds of all files compare with their labels."""
    found = kinds_of(files, truth_of(collection))
    lines = [
        (
            f"Of {found.named:,} files whose label names a kind, {found.named_accuracy:.3f} have "
            f"it; of all {found.files:,}, with `other` taken as a kind, {found.accuracy:.3f}."
        )
    ]
    rows = [f"{label} as {kind}: {count}" for label, kind, count in found.confused]
    lines.append(f"Different: {'; '.join(rows) or 'none'}.")
    others = [f"{kind} {count}" for kind, count in found.other_as]
    lines.append(f"What the labels call `other` is here: {', '.join(others)}.")
    return lines


def written(text: str, lines: list[str]) -> str:
    """Return a document with other figures."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    asked = parser.parse_args()
    settings = Settings(work_threads=1)
    embedder = text_embedder(settings)
    data = labeled_texts(asked.data)
    said = prompts_of(taxonomy())
    prior = prior_head(
        [label for label, _ in said],
        matrix_of(embedder.embed_texts([text for _, text in said]), embedder.dimension),
    )
    vectors = matrix_of(embedder.embed_texts(data.texts), embedder.dimension)
    about = f"{len(data.texts):,} texts, {len(data.names)} categories, `{embedder.model_id}`."
    lines = [about, ""]
    lines += learning(data, vectors, prior)
    lines += ["", *steps_or_not(data, vectors, prior)]
    files = fingerprints_of(asked.data, 2)
    lines += [
        "",
        *speed(data, settings),
        *picture_speed(asked.data, files),
        "",
        *scan_lines(
            data,
            prior,
            lambda texts: matrix_of(embedder.embed_texts(texts), embedder.dimension),
            settings,
        ),
        "",
        *kinds(asked.data, files),
    ]
    print("\n".join(lines))
    DOCUMENT.write_text(written(DOCUMENT.read_text(), lines))


if __name__ == "__main__":
    main()
