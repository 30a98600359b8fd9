"""The labeled texts of the collection, a taxonomy for them, and draws of corrections."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.categorize.kinds import truth_of
from models.domain.sampling import sampled
from models.domain.taxonomy import Category, Taxonomy, Topic
from tasks.fingerprint.perceptual.documents import decoded

PROMPTS: dict[str, tuple[str, ...]] = {
    "news": (
        "A news article: officials said on Monday, according to a news agency.",
        "A report in a newspaper about politics, crime, business, sports or an accident.",
        "Police, the government or a spokesman told reporters.",
    ),
    "topic/Biochemistry": (
        (
            "The abstract of a biochemistry or molecular biology paper about proteins, genes, "
            "enzymes or cells."
        ),
        "Gene expression, DNA, RNA and protein were measured in cells in the laboratory.",
        "A study of mutations, receptors, metabolism, antibodies or cell signaling.",
    ),
    "topic/Civil_engineering": (
        "The abstract of a civil engineering paper about buildings, construction, water or soil.",
        "A structure is built and its materials, loads and energy use are measured.",
        "A study of bridges, roads, concrete, water supply, pollution or sustainable buildings.",
    ),
    "topic/Computer_science": (
        "The abstract of a computer science paper about algorithms, software, data or networks.",
        "We propose an algorithm and evaluate how well and how fast it works on data sets.",
        (
            "A study of programming languages, security, computer vision, operating systems or "
            "distributed systems."
        ),
    ),
    "topic/Electrical_engineering": (
        (
            "The abstract of an electrical engineering paper about circuits, power systems, "
            "signals or control."
        ),
        "A circuit is designed and simulated: voltage, current, frequency, power consumption.",
        "A study of electric motors, converters, antennas, sensors or electricity grids.",
    ),
    "topic/Mechanical_engineering": (
        (
            "The abstract of a mechanical engineering paper about machines, fluids, heat "
            "or manufacturing."
        ),
        "A machine is designed and its flow, stress and temperature are simulated.",
        "A study of engines, turbines, vibration, wear, pumps or heat transfer.",
    ),
    "topic/Medical": (
        "The abstract of a medical paper about patients, diseases, treatment or a clinical trial.",
        (
            "Patients with a disease were treated; symptoms, diagnosis, risk factors and outcome "
            "are reported."
        ),
        "A study of cancer, diabetes, infections, the heart, injuries or public health.",
    ),
    "topic/Psychology": (
        (
            "The abstract of a psychology paper about behavior, emotion, cognition or social "
            "relations."
        ),
        "Participants answered a questionnaire about their attitudes and feelings.",
        "A study of personality, children, attention, memory, depression or prejudice.",
    ),
}
"""Written from what the fields are, before a text was looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labeled:
    """Texts with labels.

    Attributes:
        hashes: (n,) contents, each once, sorted.
        texts: (n,) as evidence gives them.
        labels: (n,) index of the category of each.
        names: (k,) categories.
    """

    hashes: list[str]
    texts: list[str]
    labels: NDArray[np.intp]
    names: list[str]


def labeled_texts(collection: Path) -> Labeled:
    """Return the texts whose category the collection names, each content once."""
    names = sorted(PROMPTS)
    rows = {row["sha256"]: row for row in truth_of(collection).values() if row["category"] in names}
    hashes = sorted(rows)
    texts = [sampled(decoded((collection / rows[h]["path"]).read_bytes())) for h in hashes]
    labels = np.array([names.index(rows[h]["category"]) for h in hashes])
    return Labeled(hashes=hashes, texts=texts, labels=labels, names=names)


def taxonomy() -> Taxonomy:
    """Return the eight categories as a user would write them."""
    return Taxonomy(
        categories=tuple(
            Category(topic=Topic(name=name, prompts=PROMPTS[name])) for name in sorted(PROMPTS)
        )
    )


def drawn(labels: NDArray[np.intp], count: int, seed: int) -> NDArray[np.intp]:
    """Return which texts are corrected: categories in turn, in an order and of each at random."""
    rng = np.random.default_rng(seed)
    kinds = len(np.unique(labels))
    pools = [list(rng.permutation(np.flatnonzero(labels == kind))) for kind in range(kinds)]
    order = rng.permutation(kinds)
    found = [pools[order[n % kinds]].pop() for n in range(count) if pools[order[n % kinds]]]
    return np.array(found)


def balanced(labels: NDArray[np.intp], seed: int = 5) -> NDArray[np.intp]:
    """Return as many texts of each category as the rarest has: for curves and calibration."""
    rng = np.random.default_rng(seed)
    kinds = range(len(np.unique(labels)))
    fewest = min(int((labels == kind).sum()) for kind in kinds)
    each = [rng.permutation(np.flatnonzero(labels == kind))[:fewest] for kind in kinds]
    return np.sort(np.concatenate(each))
