#!/usr/bin/env python3
"""Compare the scan of inverted lists with PyPI's faiss-cpu: queries a second, in turns.

search_speed.py PROGRAM FOLDER [options]

PROGRAM is the built search_speed; FOLDER keeps the index between calls. The data are clustered: a
mixture of low-rank Gaussians. The index is trained by faiss-cpu on a sample with few iterations,
since its quality does not matter for the speed. Queries come in batches, as decoding makes them,
but are independent of each other, which is the worst case for sharing lists. For each number of
threads it prints the medians and the median ratio of
  scan   lists and coarse distances are given (faiss: search_preassigned),
  whole  rotation and coarse quantisation included (faiss: search),
and checks that both sides find the same neighbours at the same distances. The demo's shape:
  --width 256 --entries 920000 --factory OPQ32_128,IVF1024,PQ32np --k 32

Needs faiss-cpu and numpy (scripts/requirements-dev.txt).
"""
import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

import faiss
import numpy as np

CHUNK = 50_000
RANK = 48


class Mixture:
    """Small clusters along directions of their own, `width` wide; lists come out about even."""

    def __init__(self, width, clusters=20_000):
        rng = np.random.default_rng(1)
        self.centres = 1.5 * rng.standard_normal((clusters, width), np.float32)
        self.bases = rng.standard_normal((16, RANK, width), np.float32) / RANK ** 0.5

    def draw(self, count, seed):
        rng = np.random.default_rng(seed)
        which = rng.integers(len(self.centres), size=count)
        points = self.centres[which] + 0.3 * rng.standard_normal(
            (count, self.centres.shape[1]), np.float32)
        for number, basis in enumerate(self.bases):
            rows = which % len(self.bases) == number
            points[rows] += rng.standard_normal((rows.sum(), RANK), np.float32) @ basis
        return points


def make_index(path, mixture, args):
    index = faiss.index_factory(args.width, args.factory)
    opq = faiss.downcast_VectorTransform(index.chain.at(0))
    opq.niter, opq.niter_pq, opq.max_train_points = 2, 1, 32768
    ivf = faiss.downcast_index(index.index)
    ivf.cp.niter, ivf.pq.cp.niter = 4, 4
    print(f"training {args.factory}", flush=True)
    index.train(mixture.draw(65_536, 2))
    for first in range(0, args.entries, CHUNK):
        index.add(mixture.draw(min(CHUNK, args.entries - first), 1000 + first))
    faiss.write_index(index, str(path))


def faiss_rates(index, queries, args):
    """Queries a second of (scan, whole), and what was found."""
    ivf = faiss.downcast_index(index.index)
    rotated = index.chain.at(0).apply(queries)
    distances, lists = ivf.quantizer.search(rotated, args.nprobe)
    batches = [slice(i, i + args.batch) for i in range(0, len(queries), args.batch)]
    start = time.perf_counter()
    found = [ivf.search_preassigned(rotated[b], args.k, lists[b], distances[b]) for b in batches]
    middle = time.perf_counter()
    for b in batches:
        index.search(queries[b], args.k)
    end = time.perf_counter()
    return ((len(queries) / (middle - start), len(queries) / (end - middle)),
            [np.concatenate(parts) for parts in zip(*found)])


def our_rates(index_path, queries_path, threads, args):
    result = args.folder / "found.bin"
    command = [args.program, index_path, queries_path, args.k, args.nprobe, args.batch, result]
    output = subprocess.run([str(word) for word in command], check=True, text=True,
                            capture_output=True,
                            env=os.environ | {"OMP_NUM_THREADS": str(threads)}).stdout
    words = output.split()
    slots = args.queries * args.k
    raw = result.read_bytes()
    return ((float(words[1]), float(words[3])),
            [np.frombuffer(raw, np.float32, slots).reshape(-1, args.k),
             np.frombuffer(raw, np.int64, slots, 4 * slots).reshape(-1, args.k)])


def compare(ours, theirs):
    """Share of neighbours found by both, and the largest relative difference of distances."""
    shared = sum(len(np.intersect1d(a, b)) for a, b in zip(ours[1], theirs[1]))
    difference = np.abs(ours[0] - theirs[0]) / np.abs(theirs[0])
    return shared / theirs[1].size, difference.max()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--factory", default="OPQ64_256,IVF4096,PQ64np")
    parser.add_argument("--k", type=int, default=64)
    parser.add_argument("--nprobe", type=int, default=32)
    parser.add_argument("--batch", type=int, default=160)
    parser.add_argument("--queries", type=int, default=3200)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    mixture = Mixture(args.width)
    index_path = args.folder / f"{args.factory}-{args.width}-{args.entries}.faiss"
    if not index_path.exists():
        make_index(index_path, mixture, args)
    index = faiss.read_index(str(index_path))
    faiss.extract_index_ivf(index).nprobe = args.nprobe
    queries = mixture.draw(args.queries, 3)
    queries_path = args.folder / "queries.bin"
    queries.tofile(queries_path)
    for threads in args.threads:
        faiss.omp_set_num_threads(threads)
        faiss_rates(index, queries[:args.batch], args)
        rounds = []
        for number in range(args.rounds):
            ours, found = our_rates(index_path, queries_path, threads, args)
            theirs, expected = faiss_rates(index, queries, args)
            rounds.append((ours, theirs))
            print(f"round {number + 1}: scan {ours[0]:,.0f} and {theirs[0]:,.0f} queries/s, "
                  f"whole {ours[1]:,.0f} and {theirs[1]:,.0f}", flush=True)
        for what, name in enumerate(("scan", "whole")):
            ours, theirs = ([side[what] for side in sides] for sides in zip(*rounds))
            ratio = statistics.median(a / b for a, b in zip(ours, theirs))
            print(f"{name}, {threads} threads: {statistics.median(ours):,.0f} queries/s, "
                  f"faiss-cpu {statistics.median(theirs):,.0f}; ratio {ratio:.2f}")
        overlap, difference = compare(found, expected)
        print(f"{overlap:.5f} of the neighbours are the same; distances differ by at most "
              f"{difference:.1e}")
        if overlap < 0.999 or difference > 1e-4:
            raise SystemExit("search_speed.py: the results differ")


if __name__ == "__main__":
    main()
