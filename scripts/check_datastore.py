#!/usr/bin/env python3
"""Check a run's datastore and index from outside: with h5py, NumPy and faiss alone.

    check_datastore.py RUN_DIR [--queries 200] [--k 16] [--nprobe 32] [--noise 0] [--seed 1]

Reads RUN_DIR/datastore/shard-*.h5 (keys [N, d] float16, values [N] uint32,
sentence_starts [n+1] int64 in rows of the shard, entry_starts [n] int64 in entry
numbers of the whole datastore) and RUN_DIR/index/shard-*.faiss (of any type and metric
that knnseq makes; an id holds the value token in bits 40 to 62 and the entry number in
the lower 40), the same of all
RUN_DIR/append/*/, whose entries are numbered on from the first_entry in
index/manifest.json, and
- checks that the datastore has every entry number once, and so has the index;
- checks that the token in every id of the index is the value of its entry;
- takes random stored keys as queries and compares the k nearest of all raw keys
  with what the index shards find together, merged by (distance, entry number);
- if there is a RUN_DIR/export/, checks that index.faiss holds the same entries,
  each list in the order of entry numbers, and finds the same, and values.npy.

Distances are squared L2, or minus the inner product, or minus the cosine, as index.metric
says. Recall counts a found entry as right when its raw key is no farther than the k-th
nearest, so it does not matter which of equally distant entries was found. Memory:
16 bytes an entry and one block of keys. Exits with 1 if a check fails.
"""
import argparse
import json
import sys
from pathlib import Path

import python_packages

python_packages.need("faiss=faiss-cpu", "h5py", "numpy")
import faiss  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402

BLOCK = 65536  # rows read at a time
ENTRY_BITS = 40


def shard_files(folder, pattern):
    files = sorted(folder.glob(pattern))
    if not files:
        sys.exit(f"no {pattern} in {folder}")
    return files


def corpora(run_dir):
    """[(number of the first entry, folder)] of the first corpus and those appended, by number."""
    found = [(0, run_dir)]
    for manifest in run_dir.glob("append/*/index/manifest.json"):
        first = json.loads(manifest.read_text(encoding="utf-8"))["inputs"]["first_entry"]
        found.append((first, manifest.parents[1]))
    return sorted(found)


def open_shard(path):
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        sys.exit(f"{path}: {error}")
    absent = {"keys", "values", "sentence_starts", "entry_starts"} - set(file)
    if absent:
        made = " (this needs a datastore made with datastore.store: keys)" if "keys" in absent else ""
        sys.exit(f"{path}: no dataset {', '.join(sorted(absent))}{made}")
    return file


def entry_numbers(file, first):
    """[N] int64: the entry number of each row of an open shard of a corpus that begins at `first`."""
    starts = file["sentence_starts"][:]
    lengths = np.diff(starts)
    if starts[0] != 0 or starts[-1] != len(file["values"]) or (lengths < 1).any():
        sys.exit(f"{file.filename}: sentence_starts do not divide its {len(file['values'])} rows")
    return first + np.repeat(file["entry_starts"][:] - starts[:-1], lengths) + np.arange(starts[-1])


class Datastore:
    """The shards' keys, by entry number; values [N] uint32 in the order of entry numbers."""

    def __init__(self, folders):
        shards = [(open_shard(path), first) for first, folder in folders
                  for path in shard_files(folder / "datastore", "shard-*.h5")]
        self.files = [file for file, _ in shards]
        self.entries = [entry_numbers(file, first) for file, first in shards]
        for file, entries in zip(self.files, self.entries):
            if len(file["keys"]) != len(entries):
                sys.exit(f"{file.filename}: {len(file['keys'])} keys, {len(entries)} values")
        widths = {file["keys"].shape[1] for file in self.files}
        if len(widths) != 1:
            sys.exit(f"shards have keys of different widths: {sorted(widths)}")
        self.width, self.size = widths.pop(), sum(map(len, self.entries))
        everywhere = np.concatenate(self.entries)
        self.order = np.argsort(everywhere, kind="stable")  # entry number -> row of all shards
        if not np.array_equal(everywhere[self.order], np.arange(self.size)):
            sys.exit(f"entry numbers are not 0 to {self.size - 1}, each once")
        self.values = np.concatenate([file["values"][:] for file in self.files])[self.order]

    def keys_of(self, wanted):
        """[len(wanted), d] float32 of entry numbers, which may repeat."""
        rows, back = np.unique(self.order[wanted], return_inverse=True)
        found, first = [], 0
        for file, entries in zip(self.files, self.entries):
            own = rows[(rows >= first) & (rows < first + len(entries))] - first
            found.append(file["keys"][own] if len(own) else np.empty((0, self.width), np.float16))
            first += len(entries)
        return np.concatenate(found).astype(np.float32)[back.reshape(-1)]

    def blocks(self):
        """(keys [rows, d] float32, entry numbers [rows]) of all rows."""
        for file, entries in zip(self.files, self.entries):
            for first in range(0, len(entries), BLOCK):
                end = min(first + BLOCK, len(entries))
                yield file["keys"][first:end].astype(np.float32), entries[first:end]


def nearest(distances, entries, k):
    """The k best of each row of two [queries, …] arrays, by (distance, entry number)."""
    order = np.lexsort((entries, distances), axis=1)[:, :k]
    return np.take_along_axis(distances, order, 1), np.take_along_axis(entries, order, 1)


class Measure:
    """How near two vectors are, as an index has it: less is nearer."""

    def __init__(self, index):
        self.inner = index.metric_type == faiss.METRIC_INNER_PRODUCT
        transform = isinstance(index, faiss.IndexPreTransform) and faiss.downcast_VectorTransform(index.chain.at(0))
        self.cosine = self.inner and isinstance(transform, faiss.NormalizationTransform)

    def prepared(self, vectors):
        if not self.cosine:
            return vectors
        return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-30)

    def between(self, left, right):
        """Of vectors [..., d], pair by pair."""
        left, right = self.prepared(left), self.prepared(right)
        return -(left * right).sum(-1) if self.inner else ((left - right) ** 2).sum(-1)

    def knn(self, queries, keys, k):
        metric = faiss.METRIC_INNER_PRODUCT if self.inner else faiss.METRIC_L2
        scores, rows = faiss.knn(self.prepared(queries), self.prepared(keys), k, metric=metric)
        return self.distances(scores), rows

    def distances(self, scores):
        """Of what faiss's search gives."""
        return -scores if self.inner else scores


def exact_search(store, queries, k, measure):
    best = np.full((len(queries), 0), np.inf, np.float32), np.full((len(queries), 0), -1)
    for keys, entries in store.blocks():
        distances, rows = measure.knn(queries, keys, min(k, len(keys)))
        best = nearest(np.hstack([best[0], distances]), np.hstack([best[1], entries[rows]]), k)
    return best


def split_ids(ids):
    """(tokens, entry numbers) of faiss ids; both -1 if the id is (missing)."""
    return ids >> ENTRY_BITS, np.where(ids < 0, -1, ids & ((1 << ENTRY_BITS) - 1))


class Index:
    """An index of a file: faiss's object, the part that holds the entries, and their ids."""

    def __init__(self, path, width, nprobe):
        try:
            self.whole = faiss.read_index(str(path))
        except RuntimeError as error:
            sys.exit(f"{path}: {error}")
        if self.whole.d != width:
            sys.exit(f"{path}: an index over keys of width {self.whole.d}, not {width}")
        self.measure = Measure(self.whole)
        self.core, ids = self.whole, None
        while True:
            self.core = faiss.downcast_index(self.core)
            if isinstance(self.core, faiss.IndexIDMap):
                ids = faiss.vector_to_array(self.core.id_map)
            elif not isinstance(self.core, faiss.IndexPreTransform):
                break
            self.core = self.core.index
        self.ivf = self.core if isinstance(self.core, faiss.IndexIVF) else None
        self.graph = isinstance(self.core, faiss.IndexHNSW)
        if self.ivf:
            self.ivf.nprobe = min(nprobe, self.ivf.nlist)
            ids = self.ids_in_lists()
        self.ids = np.arange(self.core.ntotal) if ids is None else ids

    def ids_in_lists(self):
        """[ntotal] int64, list by list."""
        lists = self.ivf.invlists
        parts = [faiss.rev_swig_ptr(lists.get_ids(i), lists.list_size(i)).copy()
                 for i in range(self.ivf.nlist) if lists.list_size(i)]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def list_of_each(self):
        if not self.ivf:
            return np.zeros(len(self.ids), int)
        sizes = [self.ivf.invlists.list_size(i) for i in range(self.ivf.nlist)]
        return np.repeat(np.arange(self.ivf.nlist), sizes)

    def search(self, queries, k):
        scores, ids = self.whole.search(queries, k)
        return np.where(ids < 0, np.inf, self.measure.distances(scores)), ids

    def describe(self):
        lists = f"{self.ivf.nlist} lists, " if self.ivf else ""
        stored = faiss.downcast_index(self.core.storage) if self.graph else self.core
        size = self.ivf.code_size if self.ivf else stored.sa_code_size()
        return f"{type(self.core).__name__}, {lists}{size} bytes a code"

    def decoded(self, vectors):
        """What the codes of vectors stand for; None where the index stores vectors."""
        if isinstance(self.core, (faiss.IndexFlat, faiss.IndexIVFFlat, faiss.IndexHNSW)):
            return None
        try:
            return self.whole.sa_decode(self.whole.sa_encode(vectors))
        except RuntimeError:  # a type whose codes faiss does not decode by themselves
            return None


def check_index(store, indexes):
    """Problems in the ids of all index shards, as a list of sentences."""
    tokens, entries = split_ids(np.concatenate([index.ids for index in indexes]))
    known = (entries >= 0) & (entries < store.size)
    counts = np.bincount(entries[known], minlength=store.size)
    wrong = np.flatnonzero(store.values[entries[known]] != tokens[known])
    problems = {"ids name no entry": np.count_nonzero(~known),
                "entries are missing from the index": np.count_nonzero(counts == 0),
                "entries are in the index more than once": np.count_nonzero(counts > 1),
                "ids hold another token than their entry's value": len(wrong)}
    return [f"{count} {what}" for what, count in problems.items() if count]


def check_export(store, folder, shards, queries, k, nprobe):
    """Problems in export/, as a list of sentences; shards: what search_shards() found."""
    index = Index(folder / "index.faiss", store.width, nprobe)
    ordered = np.array_equal(np.lexsort((index.ids, index.list_of_each())), np.arange(len(index.ids)))
    distances, entries = index.search(queries, 2 * k)
    found = nearest(distances, entries, k)
    same = index.graph or np.allclose(found[0], shards[0])  # one graph is walked otherwise than several
    values = np.load(folder / "values.npy", mmap_mode="r")
    problems = {"its lists do not hold every entry once": not np.array_equal(
                    np.sort(index.ids), np.arange(store.size)),
                "a list is not in the order of entry numbers": not ordered,
                "it finds other distances than the shards": not same,
                "values.npy does not hold the values": values.dtype != np.uint32
                    or not np.array_equal(values, store.values)}
    return [what for what, wrong in problems.items() if wrong]


def search_shards(indexes, queries, k):
    """(distances, entry numbers), both [queries, k], of all shards together."""
    results = [index.search(queries, k) for index in indexes]
    distances = np.hstack([distances for distances, _ in results])
    entries = np.hstack([split_ids(ids)[1] for _, ids in results])
    return nearest(distances, entries, k)


def report(store, indexes, shards, queries, k):
    """Print recall and quantisation error; shards: what search_shards() found."""
    distances, entries = shards
    found = entries >= 0
    keys = store.keys_of(np.maximum(entries, 0).reshape(-1)).reshape(*entries.shape, -1)
    measure = indexes[0].measure
    true = measure.between(keys, queries[:, None])

    _, exact_entries = exact_search(store, queries, k, measure)
    farthest = measure.between(store.keys_of(exact_entries[:, -1]), queries)[:, None]
    right = found & (true <= farthest + 1e-5 * np.abs(farthest))
    print(f"recall@{k}: {right.sum() / exact_entries.size:.4f} ({right.sum()} of "
          f"{exact_entries.size}; {np.count_nonzero(~found)} missing)")
    top = (entries == exact_entries[:, :1]).any(1)
    print(f"nearest key among the {k} found: {top.mean():.4f}")

    decoded = indexes[0].decoded(queries)
    if decoded is not None:
        prepared = measure.prepared(queries)
        error = ((decoded - prepared) ** 2).sum(1).mean()
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

    folders = corpora(args.run_dir)
    store = Datastore(folders)
    print(f"datastore: {store.size} entries of width {store.width} in {len(store.files)} shards "
          f"of {len(folders)} corpora")
    indexes = [Index(path, store.width, args.nprobe)
               for _, folder in folders for path in shard_files(folder / "index", "shard-*.faiss")]
    print(f"index: {sum(len(index.ids) for index in indexes)} entries in {len(indexes)} shards, "
          f"{indexes[0].describe()}")
    problems = check_index(store, indexes)
    if problems:
        sys.exit("ids: " + "; ".join(problems))
    print("ids: every entry once, every token the entry's value")

    rng = np.random.default_rng(args.seed)
    chosen = rng.choice(store.size, min(args.queries, store.size), replace=False)
    queries = store.keys_of(chosen)
    queries += rng.normal(0, args.noise * queries.std(), queries.shape).astype(np.float32)
    k = min(args.k, store.size)
    probes = f", nprobe {indexes[0].ivf.nprobe}" if indexes[0].ivf else ""
    print(f"queries: {len(queries)} stored keys, noise {args.noise:g}, k {k}{probes}")
    shards = search_shards(indexes, queries, k)
    report(store, indexes, shards, queries, k)
    if (args.run_dir / "export/manifest.json").exists():
        problems = check_export(store, args.run_dir / "export", shards, queries, k, args.nprobe)
        if problems:
            sys.exit("export: " + "; ".join(problems))
        print("export: the same entries, distances and values")


if __name__ == "__main__":
    main()
