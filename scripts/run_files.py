"""Datastore and index of a finished run, read with h5py, NumPy and faiss: what scripts/knnseq.py and
scripts/check_datastore.py share. docs/internals/files.md has the formats."""
import json
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import faiss
import h5py
import numpy as np

BLOCK = 65536  # rows read at a time
ENTRY_BITS = 40
LEFT_OUT = 2**32 - 1  # the value in export/values.npy of an entry that `prune` left out


class RunError(Exception):
    """A run directory, or the program, that is not as it has to be."""


class Neighbours(NamedTuple):
    """The k nearest of n queries by (distance, entry). Where fewer were found: inf, -1, -1."""
    distances: np.ndarray  # [n, k] float32: squared L2, or minus the inner product or cosine
    entries: np.ndarray  # [n, k] int64
    tokens: np.ndarray  # [n, k] int64: the entries' values


class Sentence(NamedTuple):
    """A sentence pair of the datastore."""
    corpus: str  # name of an item of append:, or "" for the first corpus
    line: int  # of that corpus, from 1 over all of its files
    first_entry: int  # its entries are first_entry, first_entry + 1, … one for each target token
    source: np.ndarray  # [x] int64 tokens as the encoder reads them
    target: np.ndarray  # [y] int64 tokens, the last of which is the end of sentence


class Corpus(NamedTuple):
    name: str
    folder: Path
    first_entry: int

    @property
    def called(self):
        """Its name where corpora are named, as in knn.corpora."""
        return self.name or "main"


def read_json(path, advice):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"no {path}: {advice}") from None
    except ValueError as error:
        raise RunError(f"{path}: {error}") from None


# ---- the datastore ----

def floats(rows):
    """Rows of a dataset as numbers: the bits of bfloat16 (uint16) as float32, others as they are."""
    return (rows.astype(np.uint32) << 16).view(np.float32) if rows.dtype == np.uint16 else rows


def rounded(vectors, keys):
    """Vectors as they are when they are stored in a type of the config (datastore.keys), float32."""
    if keys == "bf16":  # to the nearest, ties to even
        bits = vectors.astype(np.float32).view(np.uint32)
        return floats(((bits + 0x7fff + ((bits >> 16) & 1)) >> 16).astype(np.uint16))
    return vectors.astype(np.float16 if keys == "fp16" else np.float32).astype(np.float32)


class Shard:
    """A shard of the datastore with its part of the corpus. Rows are mapped, not read."""

    def __init__(self, corpus, path):
        self.corpus, self.path = corpus, path
        self.values = self.dataset("values", 1)
        self.sentence_starts = np.array(self.dataset("sentence_starts", 1))
        self.first_entries = corpus.first_entry + np.array(self.dataset("entry_starts", 1))
        lengths = np.diff(self.sentence_starts)
        if self.sentence_starts[0] != 0 or self.sentence_starts[-1] != len(self.values) or (lengths < 1).any():
            raise RunError(f"{path}: sentence_starts do not divide its {len(self.values)} rows")

    def dataset(self, name, dimensions, path=None):
        """A dataset, mapped read-only (knnseq's are contiguous). bfloat16 as uint16: see floats()."""
        path = path or self.path
        try:
            with h5py.File(path, "r") as file:
                if name not in file:
                    raise RunError(f"{path}: no dataset {name}")
                stored = file[name]
                shape, dtype, offset = stored.shape, stored.dtype, stored.id.get_offset()
                if dtype.kind == "f" and stored.id.get_type().get_ebias() == 127 and \
                        stored.id.get_type().get_size() == 2:
                    dtype = np.dtype(np.uint16)  # bfloat16, which NumPy lacks
        except OSError as error:
            raise RunError(f"{path}: {error}") from None
        if len(shape) != dimensions:
            raise RunError(f"{path}: {name} has the shape {shape}")
        if 0 in shape:
            return np.empty(shape, dtype)
        if offset is None:
            raise RunError(f"{path}: {name} is not contiguous, so knnseq has not written it")
        return np.memmap(path, dtype, "r", offset, shape)

    @cached_property
    def keys(self):
        """[N, d] as it is stored: float16, float32, or the bits of bfloat16 (see floats())."""
        try:
            keys = self.dataset("keys", 2)
        except RunError as error:
            made = "no dataset keys" in str(error)
            hint = " (this needs a datastore made with datastore.store: keys)" if made else ""
            raise RunError(f"{error}{hint}") from None
        if len(keys) != len(self.values):
            raise RunError(f"{self.path}: {len(keys)} keys, {len(self.values)} values")
        return keys

    @cached_property
    def text(self):
        """{name: array} of this shard of the corpus."""
        path = self.corpus.folder / "corpus" / self.path.name
        names = ("source_starts", "source_tokens", "target_tokens", "line_numbers")
        return {name: self.dataset(name, 1, path) for name in names}


class Datastore:
    """The entries of a run, of all its corpora and shards: keys and values by entry number, and the
    sentences that they come from. Entries of appended corpora are numbered on from those before. Memory:
    40 bytes a sentence, and what is asked for."""

    def __init__(self, run):
        self.run, self.shards = run, []
        for corpus in run.corpora:
            files = sorted((corpus.folder / "datastore").glob("shard-*.h5"))
            if not files:
                raise RunError(f"no shard-*.h5 in {corpus.folder / 'datastore'}: run 'knnseq encode' first")
            self.shards += [Shard(corpus, path) for path in files]
        first = np.concatenate([shard.first_entries for shard in self.shards])
        lengths = np.concatenate([np.diff(shard.sentence_starts) for shard in self.shards])
        rows = np.concatenate([shard.sentence_starts[:-1] for shard in self.shards])
        counts = [len(shard.first_entries) for shard in self.shards]
        # Sentences in the order of their entries: where each begins, its shard, first row, place there.
        order = np.argsort(first, kind="stable")
        self.size = int(lengths.sum())
        self._starts, self._rows = first[order], rows[order]
        self._shard = np.repeat(np.arange(len(counts)), counts)[order]
        self._place = np.concatenate([np.arange(count) for count in counts])[order]
        if not np.array_equal(np.cumsum([0, *lengths[order][:-1]]), self._starts):
            raise RunError(f"{run.path}: entry numbers are not 0 to {self.size - 1}, each once")

    def __len__(self):
        return self.size

    @property
    def sentences(self):
        """How many sentences there are. They count from 0, in the order of their entries."""
        return len(self._starts)

    @cached_property
    def width(self):
        """d, the width of keys."""
        return int(self.run.manifest("datastore")["content"]["width"])

    def sentence_of(self, entries):
        """[n] int64: numbers of the sentences that entries [n] belong to. IndexError for no entry."""
        entries = np.asarray(entries, np.int64)
        if entries.size and (entries.min() < 0 or entries.max() >= self.size):
            raise IndexError(f"entries are 0 to {self.size - 1}, not {entries.min()} to {entries.max()}")
        return np.searchsorted(self._starts, entries, "right") - 1

    def sentence(self, number):
        """The Sentence of a number. IndexError for none."""
        if not 0 <= number < self.sentences:
            raise IndexError(f"sentences are 0 to {self.sentences - 1}, not {number}")
        shard, place = self.shards[self._shard[number]], self._place[number]
        source = slice(*shard.text["source_starts"][place:place + 2])
        target = slice(*shard.sentence_starts[place:place + 2])
        return Sentence(shard.corpus.name, int(shard.text["line_numbers"][place]) + 1, int(self._starts[number]),
                        np.array(shard.text["source_tokens"][source], np.int64),
                        np.array(shard.text["target_tokens"][target], np.int64))

    def at_line(self, line, corpus=""):
        """The number of the sentence from a line (from 1) of a corpus. RunError if that line was dropped."""
        for i, shard in enumerate(self.shards):
            if shard.corpus.name == corpus:
                place = np.flatnonzero(shard.text["line_numbers"] == line - 1)
                if len(place):
                    return int(np.searchsorted(self._starts, shard.first_entries[place[0]]))
        raise RunError(f"{self.run.path}: line {line} of {corpus or 'the corpus'} is not in the datastore")

    def gather(self, rows_of, entries, made):
        """`made` [n, …], filled with the rows of entries [n] of what rows_of(shard) gives, [rows, …]."""
        sentence = self.sentence_of(entries)
        rows, shards = self._rows[sentence] + entries - self._starts[sentence], self._shard[sentence]
        for i in np.unique(shards):
            chosen = shards == i
            made[chosen] = floats(rows_of(self.shards[i])[rows[chosen]])
        return made

    def keys(self, entries):
        """[n, d] float32: the keys of entries [n], which may repeat. RunError if none are stored."""
        entries = np.asarray(entries, np.int64)
        return self.gather(lambda shard: shard.keys, entries, np.empty((len(entries), self.width), np.float32))

    def values(self, entries=None):
        """[n] uint32: the tokens of entries [n], or of all."""
        if entries is not None:
            entries = np.asarray(entries, np.int64)
            return self.gather(lambda shard: shard.values, entries, np.empty(len(entries), np.uint32))
        made = np.empty(self.size, np.uint32)
        for shard in self.shards:
            made[self.entries_of(shard)] = shard.values
        return made

    @staticmethod
    def entries_of(shard):
        """[N] int64: the entry number of each row of a shard."""
        starts = shard.sentence_starts
        return np.repeat(shard.first_entries - starts[:-1], np.diff(starts)) + np.arange(starts[-1])

    def blocks(self, corpora=()):
        """(keys [rows, d] float32, entry numbers [rows]) of all rows, some at a time; of the corpora that are
        named, if any is."""
        for shard in self.shards:
            if corpora and shard.corpus.called not in corpora:
                continue
            entries = self.entries_of(shard)
            for first in range(0, len(entries), BLOCK):
                yield floats(shard.keys[first:first + BLOCK]).astype(np.float32), entries[first:first + BLOCK]

    @cached_property
    def _vocabularies(self):
        folder = self.run.config.get("tokenizer") or self.run.config["model"][0]
        return {side: Vocabulary(self.run.input_path(folder), side) for side in ("source", "target")}

    def pieces(self, tokens, side="target"):
        """[str]: what the tokeniser's files call each of the tokens, such as "▁Datei"."""
        return [self._vocabularies[side].piece(int(token)) for token in tokens]

    def text(self, tokens, side="target"):
        """The text of tokens: pieces joined, their marks of words as spaces, without </s> and the like.
        knnseq's own texts, as in a trace, follow the tokeniser in finer points of spacing. RunError if the
        tokeniser is none of Marian, M2M100, NLLB and fairseq."""
        return self._vocabularies[side].text(tokens)


class Vocabulary:
    """Names of tokens, from the files of a tokeniser: Marian, M2M100, NLLB, or an import of fairseq."""
    FAIRSEQ = ["<s>", "<pad>", "</s>", "<unk>"]
    SPECIAL = {*FAIRSEQ, "<mask>"}

    def __init__(self, folder, side):
        kind = read_json(folder / "config.json", "the tokeniser's folder").get("model_type")
        if kind == "fairseq_transformer":
            lines = (folder / f"dict.{side}.txt").read_text(encoding="utf-8").splitlines()
            self.names = dict(enumerate([*self.FAIRSEQ, *(line.rsplit(" ", 1)[0] for line in lines)]))
            self.segmentation = read_json(folder / "fairseq_tokenizer.json", "")["segmentation"]
            return
        self.segmentation = "sentencepiece"
        own = folder / "target_vocab.json"
        file = own if side == "target" and own.exists() else folder / "vocab.json"
        if kind in ("marian", "m2m_100") and file.exists():
            self.names = {number: piece for piece, number in read_json(file, "").items()}
        elif kind == "m2m_100":
            pieces = sentencepiece_pieces((folder / "sentencepiece.bpe.model").read_bytes())
            self.names = dict(enumerate(self.FAIRSEQ + pieces[3:]))
        else:
            raise RunError(f"{folder}: names of tokens are known of Marian, M2M100, NLLB and fairseq models only")

    def piece(self, token):
        return self.names.get(token, f"<{token}>")

    def text(self, tokens):
        pieces = [self.names.get(int(token), "<mask>") for token in tokens]
        pieces = [piece for piece in pieces if piece not in self.SPECIAL]
        if self.segmentation == "sentencepiece":
            return "".join(pieces).replace("\u2581", " ").strip()
        text = " ".join(pieces)
        return (text + " ").replace("@@ ", "").strip() if self.segmentation == "bpe" else text


def sentencepiece_pieces(model):
    """[str] from the bytes of a SentencePiece model, a protocol buffer: field 1 of the model is a piece,
    whose field 1 is its text."""
    def fields(data):
        at = 0

        def number():
            nonlocal at
            value = shift = 0
            while True:
                byte = data[at]
                at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
                if byte < 128:
                    return value

        while at < len(data):
            tag = number()
            size = {0: 0, 1: 8, 2: None, 5: 4}[tag & 7]
            if tag & 7 == 0:
                number()
            size = number() if size is None else size
            yield tag >> 3, data[at:at + size]
            at += size

    return [text.decode() for field, piece in fields(model) if field == 1
            for inner, text in fields(piece) if inner == 1]


# ---- the index ----

def nearest(distances, entries, k):
    """The k best of each row of two [queries, …] arrays, by (distance, entry number)."""
    order = np.lexsort((entries, distances), axis=1)[:, :k]
    return np.take_along_axis(distances, order, 1), np.take_along_axis(entries, order, 1)


def split_ids(ids):
    """(tokens, entry numbers) of ids in a shard's index; both -1 if the id is (missing)."""
    return ids >> ENTRY_BITS, np.where(ids < 0, -1, ids & ((1 << ENTRY_BITS) - 1))


class IndexFile:
    """One faiss file: `whole` (faiss's object), `core` (the part that holds the entries), `ivf` (the same
    if it has lists, else None), `graph` (whether it is an HNSW), `inner` (scores are inner products)."""

    def __init__(self, path, width=None):
        try:
            self.whole = faiss.read_index(str(path))
        except RuntimeError as error:
            raise RunError(f"{path}: {error}") from None
        if width not in (None, self.whole.d):
            raise RunError(f"{path}: an index over keys of width {self.whole.d}, not {width}")
        self.inner = self.whole.metric_type == faiss.METRIC_INNER_PRODUCT
        self.core, self.mapped = self.whole, None
        while True:
            self.core = faiss.downcast_index(self.core)
            if isinstance(self.core, faiss.IndexIDMap):
                self.mapped = faiss.vector_to_array(self.core.id_map)
            elif not isinstance(self.core, faiss.IndexPreTransform):
                break
            self.core = self.core.index
        self.ivf = self.core if isinstance(self.core, faiss.IndexIVF) else None
        self.graph = isinstance(self.core, faiss.IndexHNSW)

    @cached_property
    def ids(self):
        """[ntotal] int64, list by list if there are lists."""
        if not self.ivf:
            return np.arange(self.core.ntotal) if self.mapped is None else self.mapped
        lists = self.ivf.invlists
        parts = [faiss.rev_swig_ptr(lists.get_ids(i), lists.list_size(i)).copy()
                 for i in range(self.ivf.nlist) if lists.list_size(i)]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def search(self, queries, k, nprobe, ef_search=64, probing="exact"):
        """(distances, ids), both [n, k]; inf and -1 where fewer were found."""
        if self.whole.ntotal == 0:  # where faiss 1.7.3 may crash
            return np.full((len(queries), k), np.inf, np.float32), np.full((len(queries), k), -1)
        if self.ivf:
            self.ivf.nprobe = min(nprobe, self.ivf.nlist)
            lists = faiss.downcast_index(self.ivf.quantizer)
            if isinstance(lists, faiss.IndexHNSW):  # a walk this wide misses none
                lists.hnsw.efSearch = self.ivf.nlist if probing == "exact" else max(ef_search, nprobe)
        if self.graph:
            self.core.hnsw.efSearch = max(ef_search, k)
        scores, ids = self.whole.search(queries, k)
        return np.where(ids < 0, np.float32(np.inf), -scores if self.inner else scores), ids


class Index:
    """The index of a run. `files` are its shards of all corpora: IndexFile objects, whose `whole` is an
    ordinary faiss index with ids token << 40 | entry. (`knnseq export` makes one index of them all.)"""

    def __init__(self, files):
        self.files = files

    @classmethod
    def of_run(cls, run, corpora=()):
        """`corpora`: names of those that are searched; none: all."""
        width, files = int(run.manifest("datastore")["content"]["width"]), []
        for corpus in run.corpora:
            if corpora and corpus.called not in corpora:
                continue
            folder = corpus.folder / ("pruned/index" if run.pruned else "index")
            command = ("prune" if run.pruned else "add") if not corpus.name else f"append {corpus.name}"
            read_json(folder / "manifest.json", f"run 'knnseq {command}' first")
            files += [IndexFile(path, width) for path in sorted(folder.glob("shard-*.faiss"))]
        return cls(files)

    @property
    def faiss(self):
        """faiss's objects, one a shard."""
        return [file.whole for file in self.files]

    def __len__(self):
        return sum(file.whole.ntotal for file in self.files)

    def search(self, queries, k, nprobe=32, ef_search=64, probing="exact"):
        """Neighbours of queries [n, d]. Raises ValueError for another width."""
        queries = np.ascontiguousarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.files[0].whole.d:
            raise ValueError(f"queries are [n, {self.files[0].whole.d}], not {list(queries.shape)}")
        # Of equal distances faiss takes any, knnseq the smallest entry numbers: look at more of them.
        found = [file.search(queries, 2 * k, nprobe, ef_search, probing) for file in self.files]
        distances, ids = (np.hstack(part) for part in zip(*found))
        tokens, entries = split_ids(ids)
        order = np.lexsort((entries, distances), axis=1)[:, :k]
        return Neighbours(*(np.take_along_axis(part, order, 1) for part in (distances, entries, tokens)))


# ---- exact search ----

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
        return -scores if self.inner else scores, rows


def exact_search(store, queries, k, measure, corpora=()):
    """(distances, entry numbers), both [n, k], of the nearest of all raw keys, or of those of some corpora."""
    best = np.full((len(queries), 0), np.inf, np.float32), np.full((len(queries), 0), -1)
    for keys, entries in store.blocks(corpora):
        distances, rows = measure.knn(queries, keys, min(k, len(keys)))
        best = nearest(np.hstack([best[0], distances]), np.hstack([best[1], entries[rows]]), k)
    return best
