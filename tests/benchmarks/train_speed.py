#!/usr/bin/env python3
"""Compare training and adding with faiss-cpu: seconds, quantisation error and recall, in turns.

train_speed.py PROGRAM [--run DIR] [--factory F] [--threads N] [--rounds N] [--ranks N] [key=value …]

PROGRAM is the built train_speed. Vectors are fp16, as keys are: 200,000 × 512 of a mixture of 4,000
clusters (centres in 96 dimensions, noise in all, both with spectra that fall like a power), with
2,000 more as queries; with --run the training sample and some other keys of that run directory's
datastore. Both sides get the same sample, settings and threads, and are evaluated by the same code
from the index file each wrote. key=value are options of our training (TrainOptions).

The error is the mean squared distance of a vector from what its code stands for, without the offset
that all vectors share (OPQ drops a part of the mean, which moves keys and queries alike); the plain
one is printed beside it. Recall@k is the share of the true k nearest among the k found with nprobe
32. With --ranks 2 ours runs once more as one rank and as two, one thread each.

Needs faiss-cpu and, for --run, h5py (scripts/requirements-dev.txt).
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np

NPROBE, DEPTHS = 32, (1, 16, 64)
ENTRY_BITS = (1 << 40) - 1


def clustered(rows, queries, d, seed=1, clusters=4000, rank=96):
    random = np.random.default_rng(seed)
    place = 1 + np.arange(d, dtype=np.float32)
    basis = np.linalg.qr(random.standard_normal((d, d)))[0].astype(np.float32)
    centres = random.standard_normal((clusters, rank), dtype=np.float32) * 8 * place[:rank] ** -0.5
    vectors = random.standard_normal((rows + queries, d), dtype=np.float32) * 5 * place ** -0.6
    vectors[:, :rank] += centres[random.integers(0, clusters, rows + queries)]
    vectors = (vectors @ basis).astype(np.float16)
    return vectors[:rows], vectors[rows:]


def of_run(folder, count=2000):
    """The training sample in the order of entries, and keys that are not in it."""
    import h5py
    keys, entries, others = [], [], []
    for path in sorted((folder / "datastore").glob("shard-*.h5")):
        with h5py.File(path) as shard:
            keys.append(shard["sample_keys"][:])
            entries.append(shard["sample_entries"][:])
            others.append(shard["keys"][:: max(1, len(shard["keys"]) // count)])
    sample = np.concatenate(keys)[np.argsort(np.concatenate(entries))]
    known = {row.tobytes() for row in sample}
    queries = [row for row in np.concatenate(others) if row.tobytes() not in known]
    return sample, np.array(queries)


def exact_neighbours(vectors, queries):
    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(vectors)
    return index.search(queries, max(DEPTHS))[1]


def evaluate(path, vectors, queries, truth):
    index = faiss.read_index(str(path))
    lists = faiss.extract_index_ivf(index)
    lists.nprobe = NPROBE
    found = index.search(queries, max(DEPTHS))[1] & ENTRY_BITS
    recalls = {f"recall@{k}": float(np.mean([len(set(a[:k]) & set(b[:k])) / k
                                             for a, b in zip(found, truth)])) for k in DEPTHS}
    lost = vectors - index.sa_decode(index.sa_encode(vectors))
    squares = float(np.mean(np.sum(lost ** 2, axis=1)))
    offset = float(np.sum(np.mean(lost, axis=0, dtype=np.float64) ** 2))
    return {"error": squares - offset, "plain error": squares, **recalls,
            "imbalance": lists.invlists.imbalance_factor()}


def run_faiss(vectors, factory, path):
    index = faiss.index_factory(vectors.shape[1], factory)
    start = time.perf_counter()
    index.train(vectors)
    trained = time.perf_counter()
    index.add(vectors)
    added = time.perf_counter()
    faiss.write_index(index, str(path))
    return {"train_seconds": trained - start, "vectors_per_second": len(vectors) / (added - trained)}


def run_ours(args, raw, shape, out, ranks=1, threads=None):
    threads = threads or args.threads
    command = [str(args.program), str(raw), str(shape[0]), str(shape[1]), args.factory, "l2",
               str(threads), str(out), *args.settings]
    if ranks > 1:
        command = ["mpirun", "-np", str(ranks), *command]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    output = subprocess.run(command, env=environment, check=True, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL).stdout
    return json.loads(output.splitlines()[-1])


def median(results, key):
    return statistics.median(result[key] for result in results)


def compare(args, raw, vectors, queries, folder):
    ours, theirs = [], []
    for number in range(args.rounds):
        theirs.append(run_faiss(vectors, args.factory, folder / "faiss.index"))
        ours.append(run_ours(args, raw, vectors.shape, folder / "ours"))
        for name, result in (("faiss-cpu", theirs[-1]), ("knnseq", ours[-1])):
            print(f"round {number + 1}, {name}: trained in {result['train_seconds']:.1f} s, "
                  f"{result['vectors_per_second']:,.0f} vectors/s added", flush=True)
    truth = exact_neighbours(vectors, queries)
    quality = {name: evaluate(folder / path, vectors, queries, truth)
               for name, path in (("knnseq", "ours-0.faiss"), ("faiss-cpu", "faiss.index"))}
    for key in quality["knnseq"]:
        a, b = quality["knnseq"][key], quality["faiss-cpu"][key]
        print(f"{key}: knnseq {a:.4f}, faiss-cpu {b:.4f}, ratio {a / b:.4f}")
    print(f"training: {median(ours, 'train_seconds') / median(theirs, 'train_seconds'):.3f} of "
          "faiss-cpu's time (bar 0.4); adding: "
          f"{median(ours, 'vectors_per_second') / median(theirs, 'vectors_per_second'):.2f} times its "
          "vectors/s (bar 1.2)")


def scale(args, raw, shape, folder):
    alone, together = [], []
    for _ in range(args.rounds):
        alone.append(run_ours(args, raw, shape, folder / "alone", threads=1))
        together.append(run_ours(args, raw, shape, folder / "together", args.ranks, 1))
    same = {result["checksum"] for result in alone + together}
    speedup = median(alone, "train_seconds") / median(together, "train_seconds")
    adding = median(together, "vectors_per_second") / median(alone, "vectors_per_second")
    print(f"{args.ranks} ranks against one, one thread each: training {speedup:.2f} times as fast, "
          f"adding {adding:.2f} times; codebooks {'equal' if len(same) == 1 else 'DIFFER'}; peak "
          f"{alone[-1]['peak_bytes'] / 2**20:.0f} and {together[-1]['peak_bytes'] / 2**20:.0f} MiB "
          "a rank")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--factory")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("settings", nargs="*", metavar="key=value")
    args = parser.parse_intermixed_args()
    args.factory = args.factory or ("OPQ32_128,IVF1024,PQ32np" if args.run
                                    else "OPQ64_256,IVF4096,PQ64np")
    faiss.omp_set_num_threads(args.threads)
    halves, queries = of_run(args.run) if args.run else clustered(200_000, 2000, 512)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        raw = folder / "vectors.f16"
        halves.tofile(raw)
        vectors = halves.astype(np.float32)
        compare(args, raw, vectors, queries.astype(np.float32), folder)
        if args.ranks > 1:
            scale(args, raw, vectors.shape, folder)


if __name__ == "__main__":
    main()
