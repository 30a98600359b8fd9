"""What peers find, run in their own environment: `python peers.py JOB.json` prints JSON.

JOB: `{"images": [paths], "texts": [paths]}`. Every peer is used as its documentation shows, at the
threshold it recommends: imagehash and imagededup at 10 of 64 bits (imagededup's default), PDQ at 31
of 256 (its paper), MinHashes of 128 values at a Jaccard index of 0.7.
"""

# ruff: noqa: ANN001, ANN201, ANN202 - a script for an environment whose libraries have no types

import json
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
    "images": [imagehash_phash, imagededup_phash, pdqhash_pdq],
    "texts": [rensa_minhash, datasketch_minhash],
}


def main():
    job = json.loads(Path(sys.argv[1]).read_text())
    answer = {}
    for kind, peers in PEERS.items():
        for peer in peers if job.get(kind) else []:
            try:
                start = time.process_time()
                pairs = peer(job[kind])
                cpu_s = time.process_time() - start
                answer[peer.__name__] = {"kind": kind, "pairs": pairs, "cpu_s": cpu_s}
            except ImportError as error:
                answer[peer.__name__] = {"kind": kind, "missing": str(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
