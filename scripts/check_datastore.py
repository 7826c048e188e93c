#!/usr/bin/env python3
"""Check a run's datastore and index from outside: with h5py, NumPy and faiss alone.

    check_datastore.py RUN_DIR [--queries 200] [--k 16] [--nprobe 32] [--noise 0] [--seed 1]

Reads RUN_DIR/datastore/shard-*.h5 (keys [N, d] float16, float32 or bfloat16, values [N] uint32,
sentence_starts [n+1] int64 in rows of the shard, entry_starts [n] int64 in entry
numbers of the whole datastore) and RUN_DIR/index/shard-*.faiss (of any type and metric
that knnseq makes; an id holds the value token in bits 40 to 62 and the entry number in
the lower 40), the same of all
RUN_DIR/append/*/, whose entries are numbered on from the first_entry in
index/manifest.json (scripts/run_files.py reads both), and
- checks that the datastore has every entry number once, and so has the index;
- checks that the token in every id of the index is the value of its entry;
- takes random stored keys as queries and compares the k nearest of all raw keys
  with what the index shards find together, merged by (distance, entry number);
- if there is a RUN_DIR/export/, checks that index.faiss holds the same entries,
  each list in the order of entry numbers, and finds the same, and values.npy.

Distances are squared L2, or minus the inner product, or minus the cosine, as index.metric
says. Recall counts a found entry as right when its raw key is no farther than the k-th
nearest, so it does not matter which of equally distant entries was found. Memory:
32 bytes an entry and one block of keys. Exits with 1 if a check fails.
"""
import argparse
import sys
from pathlib import Path

import python_packages

python_packages.need("faiss=faiss-cpu", "h5py", "numpy", "yaml=pyyaml")
import faiss  # noqa: E402
import numpy as np  # noqa: E402

import knnseq  # noqa: E402
from run_files import LEFT_OUT, IndexFile, Measure, exact_search, nearest, split_ids  # noqa: E402


def list_of_each(index):
    if not index.ivf:
        return np.zeros(len(index.ids), int)
    sizes = [index.ivf.invlists.list_size(i) for i in range(index.ivf.nlist)]
    return np.repeat(np.arange(index.ivf.nlist), sizes)


def describe(index):
    lists = f"{index.ivf.nlist} lists, " if index.ivf else ""
    stored = faiss.downcast_index(index.core.storage) if index.graph else index.core
    size = index.ivf.code_size if index.ivf else stored.sa_code_size()
    return f"{type(index.core).__name__}, {lists}{size} bytes a code"


def decoded(index, vectors):
    """What the codes of vectors stand for; None where the index stores vectors."""
    if isinstance(index.core, (faiss.IndexFlat, faiss.IndexIVFFlat, faiss.IndexHNSW)):
        return None
    try:
        return index.whole.sa_decode(index.whole.sa_encode(vectors))
    except RuntimeError:  # a type whose codes faiss does not decode by themselves
        return None


def check_index(store, indexes):
    """Problems in the ids of all index shards, as a list of sentences."""
    tokens, entries = split_ids(np.concatenate([index.ids for index in indexes]))
    known = (entries >= 0) & (entries < store.size)
    counts = np.bincount(entries[known], minlength=store.size)
    wrong = np.flatnonzero(store.values()[entries[known]] != tokens[known])
    problems = {"ids name no entry": np.count_nonzero(~known),
                "entries are missing from the index": np.count_nonzero(counts == 0),
                "entries are in the index more than once": np.count_nonzero(counts > 1),
                "ids hold another token than their entry's value": len(wrong)}
    return [f"{count} {what}" for what, count in problems.items() if count]


def check_export(store, folder, shards, queries, k, nprobe):
    """Problems in export/, as a list of sentences; shards: what the index's shards found."""
    index, values = IndexFile(folder / "index.faiss", store.width), np.load(folder / "values.npy", mmap_mode="r")
    ordered = np.array_equal(np.lexsort((index.ids, list_of_each(index))), np.arange(len(index.ids)))
    distances, entries = index.search(queries, 2 * k, nprobe)
    kept = values != LEFT_OUT  # by prune
    found = nearest(distances, entries, k)
    same = index.graph or not kept.all() or np.allclose(found[0], shards.distances)  # graphs: walked otherwise
    stored = store.values()
    problems = {"its lists do not hold every entry once": not np.array_equal(
                    np.sort(index.ids), np.flatnonzero(kept)),
                "a list is not in the order of entry numbers": not ordered,
                "it finds other distances than the shards": not same,
                "values.npy does not hold the values": values.dtype != np.uint32 or len(values) != store.size
                    or not np.array_equal(values[kept], stored[kept])}
    return [what for what, wrong in problems.items() if wrong]


def report(store, index, shards, queries, k):
    """Print recall and quantisation error; index: one of the shards' files; shards: what they found."""
    distances, entries, _ = shards
    found = entries >= 0
    keys = store.keys(np.maximum(entries, 0).reshape(-1)).reshape(*entries.shape, -1)
    measure = Measure(index.whole)
    true = measure.between(keys, queries[:, None])

    _, exact_entries = exact_search(store, queries, k, measure)
    farthest = measure.between(store.keys(exact_entries[:, -1]), queries)[:, None]
    right = found & (true <= farthest + 1e-5 * np.abs(farthest))
    print(f"recall@{k}: {right.sum() / exact_entries.size:.4f} ({right.sum()} of "
          f"{exact_entries.size}; {np.count_nonzero(~found)} missing)")
    top = (entries == exact_entries[:, :1]).any(1)
    print(f"nearest key among the {k} found: {top.mean():.4f}")

    codes = decoded(index, queries)
    if codes is not None:
        prepared = measure.prepared(queries)
        error = ((codes - prepared) ** 2).sum(1).mean()
        spread = ((prepared - prepared.mean(0)) ** 2).sum(1).mean()
        print(f"quantisation error: {error:.4g} mean squared distance of a query from its code, "
              f"{error / spread:.2%} of the queries' variance")
    print(f"distances: {np.abs(distances - true)[found].mean():.4g} mean difference between index "
          f"and raw keys, where raw distances average {true[found].mean():.4g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--k", type=int, default=16)
    parser.add_argument("--nprobe", type=int, default=32)
    parser.add_argument("--noise", type=float, default=0.0,
                        help="standard deviation of noise added to queries, in parts of their own")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if min(args.queries, args.k, args.nprobe) < 1 or args.noise < 0:
        parser.error("--queries, --k and --nprobe must be at least 1, --noise at least 0")

    run = knnseq.Run(args.run_dir, append="all", pruned=False)
    store, index = run.datastore, run.index
    print(f"datastore: {store.size} entries of width {store.width} in {len(store.shards)} shards "
          f"of {len(run.corpora)} corpora")
    print(f"index: {len(index)} entries in {len(index.files)} shards, {describe(index.files[0])}")
    problems = check_index(store, index.files)
    if problems:
        sys.exit("ids: " + "; ".join(problems))
    print("ids: every entry once, every token the entry's value")

    rng = np.random.default_rng(args.seed)
    chosen = rng.choice(store.size, min(args.queries, store.size), replace=False)
    queries = store.keys(chosen)
    queries += rng.normal(0, args.noise * queries.std(), queries.shape).astype(np.float32)
    k, ivf = min(args.k, store.size), index.files[0].ivf
    probes = f", nprobe {min(args.nprobe, ivf.nlist)}" if ivf else ""
    print(f"queries: {len(queries)} stored keys, noise {args.noise:g}, k {k}{probes}")
    found = index.search(queries, k, args.nprobe)
    report(store, index.files[0], found, queries, k)
    if (args.run_dir / "export/manifest.json").exists():
        problems = check_export(store, args.run_dir / "export", found, queries, k, args.nprobe)
        if problems:
            sys.exit("export: " + "; ".join(problems))
        print("export: the same entries, distances and values")


if __name__ == "__main__":
    try:
        main()
    except knnseq.RunError as error:
        sys.exit(str(error))
