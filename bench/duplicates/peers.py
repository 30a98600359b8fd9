"""What peers find, run in their own environment: `python peers.py JOB.json` prints JSON.

JOB: `{"kind": "images" or "texts", "paths": [paths]}`, and perhaps `"only": [peers]`. Every peer is
used as its documentation shows, at the threshold it recommends: imagehash and imagededup at 10 of
64 bits (imagededup's default), czkawka at 15 (its README), PDQ at 31 of 256 (its paper), MinHashes
of 128 values at a Jaccard index of 0.7. Imports are not counted.
"""

# ruff: noqa: ANN001, ANN201, ANN202 - a script for an environment whose libraries have no types

import importlib
import json
import os
import sys
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")


def pairs_of_bits(bits, radius):
    import numpy as np

    packed = np.packbits(np.array(bits, dtype=np.uint8), axis=1)
    packed = packed.view(np.uint64)
    found = []
    for i in range(len(packed)):
        distances = np.bitwise_count(packed[i] ^ packed[i + 1 :]).sum(axis=1)
        found += [(i, i + 1 + int(j)) for j in np.flatnonzero(distances <= radius)]
    return found


def readable(encode, paths):
    """Return what can be encoded, by position; a damaged file has no code."""
    found = {}
    for n, path in enumerate(paths):
        try:
            found[n] = encode(path)
        except Exception:  # noqa: BLE001, S112 - whatever a damaged file does to a peer
            continue
    return found


def numbered_pairs(codes, radius):
    names = list(codes)
    return [(names[i], names[j]) for i, j in pairs_of_bits(list(codes.values()), radius)]


def imagehash_phash(paths):
    import imagehash
    from PIL import Image

    return numbered_pairs(
        readable(lambda path: imagehash.phash(Image.open(path)).hash.ravel(), paths), 10
    )


def pdqhash_pdq(paths):
    import numpy as np
    import pdqhash
    from PIL import Image

    def encode(path):
        return pdqhash.compute(np.asarray(Image.open(path).convert("RGB")))[0]

    return numbered_pairs(readable(encode, paths), 31)


def imagededup_phash(paths):
    from imagededup.methods import PHash

    hasher = PHash(verbose=False)
    codes = readable(lambda path: hasher.encode_image(image_file=path), paths)
    encodings = {str(n): code for n, code in codes.items()}
    encodings = {name: code for name, code in encodings.items() if code}
    found = hasher.find_duplicates(encoding_map=encodings, max_distance_threshold=10)
    return sorted({tuple(sorted((int(a), int(b)))) for a, others in found.items() for b in others})


def czkawka_similar(paths):
    import tempfile

    from czkawka import ImageSimilarity

    with tempfile.TemporaryDirectory() as folder:
        for n, path in enumerate(paths):
            (Path(folder) / f"{n}{Path(path).suffix.lower()}").symlink_to(path)
        real = {str(Path(path).resolve()): n for n, path in enumerate(paths)}
        for place in Path(folder).iterdir():
            target = place.resolve()
            place.unlink()
            place.write_bytes(target.read_bytes())  # it does not follow links
            real[str(place)] = int(place.stem)
        start = time.process_time()
        finder = ImageSimilarity()
        finder.set_directories([folder])
        finder.set_similarity(15)
        groups = finder.find_similar()
        cpu_s = time.process_time() - start
    found = []
    for group in groups:
        numbers = [real[str(path)] for path in group]
        found += [(a, b) for i, a in enumerate(numbers) for b in numbers[i + 1 :]]
    return found, cpu_s


def imagededup_cnn(paths):
    from imagededup.methods import CNN

    home = os.environ.get("TORCH_HOME")
    if not home or not list(Path(home).glob("hub/checkpoints/mobilenet_v3_small*")):
        raise ImportError("not runnable offline: it downloads its weights")
    encoder = CNN(verbose=False)
    codes = readable(lambda path: encoder.encode_image(image_file=path)[0], paths)
    encodings = {str(n): code for n, code in codes.items()}
    found = encoder.find_duplicates(encoding_map=encodings, min_similarity_threshold=0.9)
    return sorted({tuple(sorted((int(a), int(b)))) for a, others in found.items() for b in others})


def shingles(path):
    words = Path(path).read_text(errors="replace").lower().split()
    return [" ".join(words[n : n + 3]) for n in range(len(words) - 2)]


def rensa_minhash(paths):
    from rensa import RMinHash, RMinHashLSH

    lsh = RMinHashLSH(threshold=0.7, num_perm=128, num_bands=32)
    hashes = []
    for n, path in enumerate(paths):
        made = RMinHash(num_perm=128, seed=1)
        made.update(shingles(path))
        lsh.insert(n, made)
        hashes.append(made)
    return [
        (n, other)
        for n, made in enumerate(hashes)
        for other in sorted(lsh.query(made))
        if other > n and made.jaccard(hashes[other]) >= 0.7
    ]


def datasketch_minhash(paths):
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(threshold=0.7, num_perm=128)
    hashes = []
    for n, path in enumerate(paths):
        made = MinHash(num_perm=128)
        made.update_batch([shingle.encode() for shingle in shingles(path)])
        lsh.insert(n, made)
        hashes.append(made)
    return [
        (n, other)
        for n, made in enumerate(hashes)
        for other in sorted(lsh.query(made))
        if other > n and made.jaccard(hashes[other]) >= 0.7
    ]


PEERS = {
    "images": [imagehash_phash, imagededup_phash, imagededup_cnn, pdqhash_pdq, czkawka_similar],
    "texts": [rensa_minhash, datasketch_minhash],
}


IMPORTS = {
    "imagehash_phash": ["imagehash"],
    "imagededup_phash": ["imagededup.methods"],
    "imagededup_cnn": ["imagededup.methods"],
    "pdqhash_pdq": ["pdqhash", "PIL.Image"],
    "czkawka_similar": ["czkawka"],
    "rensa_minhash": ["rensa"],
    "datasketch_minhash": ["datasketch"],
}


def main():
    job = json.loads(Path(sys.argv[1]).read_text())
    answer = {}
    for peer in PEERS.get(job["kind"], []):
        if peer.__name__ not in job.get("only", [peer.__name__]):
            continue
        try:
            for module in IMPORTS[peer.__name__]:
                importlib.import_module(module)
            start = time.process_time()
            pairs = peer(job["paths"])
            cpu_s = time.process_time() - start
            if isinstance(pairs, tuple):
                pairs, cpu_s = pairs
            answer[peer.__name__] = {"pairs": pairs, "cpu_s": cpu_s}
        except (ImportError, RuntimeError) as error:
            answer[peer.__name__] = {"missing": str(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
