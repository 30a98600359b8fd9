"""Texts and copies of them, made the way people make them, with their truth beside them.

Run: `python -m bench.duplicates.make_texts SOURCE TARGET [--texts 9000] [--seed 7]`. SOURCE is any
folder of plain texts; their sentences are drawn anew into texts of their own, so that any number
can be made and unrelated ones share a sentence now and then, as mails and reports do. TARGET gets
`truth.csv` (`path,family,kind`): two texts are copies of one another exactly when their family is
equal. A third of the families have copies. `decoy` texts share 40 % of their sentences with another
text and are no copies of it.
"""

import argparse
import csv
import random
import re
from collections.abc import Callable
from pathlib import Path

EDIT = Callable[[list[str], random.Random, list[str]], str]
SENTENCES = 24
"""Sentences of a text: some 350 words."""


def reformatted(sentences: list[str], rng: random.Random, pool: list[str]) -> str:
    """Set in other lines, another case."""
    del pool
    words = " ".join(sentences).split()
    lines: list[str] = []
    while words:
        count = rng.randint(6, 14)
        lines.append(" ".join(words[:count]))
        words = words[count:]
    text = "\n".join(lines)
    return text.upper() if rng.random() < 0.3 else text


def edited(sentences: list[str], rng: random.Random, pool: list[str]) -> str:
    """One to five words of a hundred replaced."""
    words = " ".join(sentences).split()
    others = " ".join(rng.choices(pool, k=20)).split()
    share = rng.uniform(0.01, 0.05)
    return " ".join(rng.choice(others) if rng.random() < share else word for word in words)


def extended(sentences: list[str], rng: random.Random, pool: list[str]) -> str:
    """A sentence or two more at the end or the beginning."""
    more = rng.choices(pool, k=rng.randint(1, 2))
    return " ".join([*more, *sentences] if rng.random() < 0.5 else [*sentences, *more])


def shortened(sentences: list[str], rng: random.Random, pool: list[str]) -> str:
    """Up to three sentences of 24 left out at the end."""
    del pool
    return " ".join(sentences[: len(sentences) - rng.randint(1, 3)])


def moved(sentences: list[str], rng: random.Random, pool: list[str]) -> str:
    """Two halves exchanged."""
    del pool
    cut = rng.randint(6, len(sentences) - 6)
    return " ".join([*sentences[cut:], *sentences[:cut]])


EDITS: dict[str, EDIT] = {
    "reformatted": reformatted,
    "edited": edited,
    "extended": extended,
    "shortened": shortened,
    "moved": moved,
}


def sentences_of(source: Path) -> list[str]:
    """Return the sentences of all texts below a folder, each once, in a fixed order."""
    found: dict[str, None] = {}
    for path in sorted(source.rglob("*.txt")):
        for sentence in re.split(r"(?<=[.!?])\s+", path.read_text(errors="replace")):
            if len(sentence.split()) >= 6:
                found[sentence] = None
    return list(found)


def make(source: Path, target: Path, *, count: int, seed: int) -> int:
    """Write the texts and their truth; return how many there are."""
    rng = random.Random(seed)
    pool = sentences_of(source)
    rows: list[tuple[str, str, str]] = []

    def write(text: str, family: int, kind: str) -> None:
        number = len(rows)
        path = target / f"{number // 1000:03d}" / f"{number:06d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        rows.append((str(path.relative_to(target)), f"t{family}", kind))

    family = 0
    while len(rows) < count:
        sentences = rng.sample(pool, SENTENCES)
        write(" ".join(sentences), family, "original")
        if rng.random() < 1 / 3:
            for kind in rng.sample(sorted(EDITS), rng.randint(1, 3)):
                write(EDITS[kind](sentences, rng, pool), family, kind)
        if rng.random() < 0.1:
            shared = round(0.4 * SENTENCES)
            others = rng.sample(pool, SENTENCES - shared)
            family += 1
            write(" ".join([*sentences[:shared], *others]), family, "decoy")
        family += 1
    with (target / "truth.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "family", "kind"])
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--texts", type=int, default=9000)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    count = make(arguments.source, arguments.target, count=arguments.texts, seed=arguments.seed)
    print(f"{count} texts in {arguments.target}")


if __name__ == "__main__":
    main()
