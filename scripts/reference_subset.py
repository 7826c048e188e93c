"""Subset search in NumPy and faiss: the datastore sentences that are most similar to a source, and the
distances of their entries. Part of scripts/reference_knnmt.py."""
import collections

import faiss
import numpy as np

from run_files import Index, IndexFile, RunError


class Bm25:
    """Okapi's BM25 as rank_bm25 has it, or TF-IDF as scikit-learn's, of sentences given as lists of pieces."""

    def __init__(self, sentences, tfidf):
        self.tfidf, self.count, counts = tfidf, len(sentences), [collections.Counter(s) for s in sentences]
        having = collections.Counter(piece for count in counts for piece in count)
        if tfidf:
            self.idf = {piece: np.log((1 + self.count) / (1 + n)) + 1 for piece, n in having.items()}
        else:
            idf = {piece: np.log(self.count - n + 0.5) - np.log(n + 0.5) for piece, n in having.items()}
            least = 0.25 * sum(idf.values()) / len(idf)
            self.idf = {piece: least if value < 0 else value for piece, value in idf.items()}
        self.mean_length = sum(map(len, sentences)) / self.count
        self.postings = collections.defaultdict(list)  # piece -> [(sentence, weight)]
        for number, count in enumerate(counts):
            for piece, weight in self.in_sentence(count).items():
                self.postings[piece].append((number, weight))

    def unit(self, weights):
        norm = np.sqrt(sum(weight ** 2 for weight in weights.values())) or 1
        return {piece: weight / norm for piece, weight in weights.items()}

    def in_sentence(self, count):
        if self.tfidf:
            return self.unit({piece: n * self.idf[piece] for piece, n in count.items()})
        length = 1.5 * (1 - 0.75 + 0.75 * sum(count.values()) / self.mean_length)
        return {piece: self.idf[piece] * n * 2.5 / (n + length) for piece, n in count.items()}

    def scores(self, pieces):
        """(scores, whether there is a common piece), both [sentences]."""
        query = {piece: count for piece, count in collections.Counter(pieces).items() if piece in self.idf}
        if self.tfidf:
            query = self.unit({piece: count * self.idf[piece] for piece, count in query.items()})
        scores, seen = np.zeros(self.count), np.zeros(self.count, bool)
        for piece, weight in query.items():
            numbers, weights = zip(*self.postings[piece])
            scores[list(numbers)] += weight * np.array(weights, np.float32)
            seen[list(numbers)] = True
        return scores, seen

    def find(self, pieces, n):
        """Numbers of at most n sentences with a common piece, best first."""
        scores, seen = self.scores(pieces)
        found = np.flatnonzero(seen)
        return found[np.lexsort((found, -scores[found].astype(np.float32)))[:n]]


class Subsets:
    """The subset search that an item of decode was made with: `inputs` of its manifest. framed: how many
    tokens of a source come before and after its text."""

    def __init__(self, run, inputs, framed):
        self.store, self.inputs, self.framed = run.datastore, inputs, framed
        # Sentences count over all corpora, in the order of their entries.
        self.by_number = np.concatenate([self.first_entries(corpus) for corpus in run.corpora])
        folder = run.path / "subset"
        self.codes = {id(shard): shard.dataset("codes", 2, shard.corpus.folder / "subset/codes" / shard.path.name)
                      for shard in self.store.shards}
        self.codebook = IndexFile(folder / "codebook/codebook.faiss", self.store.width)  # owns all that follows
        whole = self.codebook.whole
        chain = whole.chain if isinstance(whole, faiss.IndexPreTransform) else None
        self.chain = [faiss.downcast_VectorTransform(chain.at(i)) for i in range(chain.size())] if chain else []
        self.core, self.inner = self.codebook.core, self.codebook.inner
        encoder = inputs["encoder"]
        if encoder == "mean":
            files = [file for corpus in run.corpora
                     for file in sorted((corpus.folder / "subset/sentence-index").glob("shard-*.faiss"))]
            self.index = Index([IndexFile(path) for path in files])
        elif encoder in ("bm25", "tfidf"):
            own = [None] * len(self.by_number)
            for number, first in enumerate(self.by_number):
                sentence = self.store.sentence(int(self.store.sentence_of([first])[0]))
                own[number] = self.text_of(sentence.source)
            self.lexical = Bm25(own, encoder == "tfidf")
        else:
            raise RunError(f"subset.encoder {encoder}: the reference has mean, bm25 and tfidf")

    def first_entries(self, corpus):
        """The first entry of each sentence of a corpus, by the sentences' numbers in it."""
        shards = [shard for shard in self.store.shards if shard.corpus == corpus]
        numbers = np.concatenate([shard.dataset("sentence_numbers", 1) for shard in shards])
        firsts = np.empty(len(numbers), np.int64)
        firsts[numbers] = np.concatenate([shard.first_entries for shard in shards])
        return firsts

    def text_of(self, source):
        return [int(token) for token in source[self.framed[0]:len(source) - self.framed[1]]]

    def entries(self, source, encoded):
        """[n] int64: the entries that are searched for a source (tokens; the encoder's output [x, d])."""
        count = min(self.inputs["sentences"], len(self.by_number))
        if self.inputs["encoder"] == "mean":
            mean = encoded.mean(0, keepdims=True)
            found = self.index.search(mean, count, self.inputs["sentence_nprobe"]).entries[0]
            found = found[found >= 0]
        else:
            found = self.lexical.find(self.text_of(source), count)
        firsts = self.by_number[found]
        sentences = [self.store.sentence(int(number)) for number in self.store.sentence_of(firsts)]
        return np.sort(np.concatenate([np.arange(len(s.target)) + s.first_entry for s in sentences]))

    def distances(self, queries, entries):
        """[q, n] float32 from queries [q, d] to the codes of entries [n]."""
        queries = np.ascontiguousarray(queries, np.float32)
        for transform in self.chain:
            queries = transform.apply(queries)
        codes = self.store.gather(lambda shard: self.codes[id(shard)], entries,
                                  np.empty((len(entries), self.core.sa_code_size()), np.uint8))
        vectors = self.core.sa_decode(codes)
        return -queries @ vectors.T if self.inner else np.stack([((q - vectors) ** 2).sum(1) for q in queries])
