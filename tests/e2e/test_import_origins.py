"""`knnseq import` of what other programs have stored themselves (tests/data/imports): the neighbours that each found
in its own store, and its translations. Needs NumPy, h5py and faiss."""
import json
import math
import re
import shutil
import sys
import unittest

import numpy as np

import pipeline

sys.path[:0] = [str(pipeline.ROOT / "scripts")]
import knnseq  # noqa: E402

DATA = pipeline.ROOT / "tests/data"


def read_generated(path):
    """{sentence number: (source, [(log p per token, translation)])} of what fairseq-generate has printed."""
    sources, hypotheses = {}, {}
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, number, *rest = re.split(r"[-\t]", line, maxsplit=2)
        if kind == "S":
            sources[int(number)] = rest[0]
        else:
            score, text = rest[0].split("\t")
            hypotheses.setdefault(int(number), []).append((float(score) * math.log(2), text))
    return {number: (sources[number], hypotheses[number]) for number in sorted(sources)}


class ImportOrigins(pipeline.PipelineTest):
    def import_store(self, origin, model, factory, files, **changes):
        """Imports files of tests/data/imports/ORIGIN into a run directory; returns what the program found there."""
        store = DATA / "imports" / origin
        settings = {
            "run_dir": f"{self.folder}/run", "model": str(DATA / "models" / model), "shards": 3,
            "import": {what: [str(store / name) for name in names] for what, names in files.items()},
            "index": {"factory": factory}, "knn": {"k": 8, "nprobe": 4, "temperature": 2, "lambda": 0.6},
            "beam_search": {"beam": 4, "nbest": 4, "max_length_b": 20}, **changes}
        self.config.write_text(json.dumps(settings), encoding="utf-8")
        self.run_stage("import", ranks=2)
        self.imported = knnseq.Run(self.folder / "run")
        self.assertEqual(self.imported.manifest("datastore")["inputs"]["imported"]["from"], origin)
        return np.load(store / "expected.npz")

    def assert_same_neighbours(self, queries, distances, entries):
        found = self.imported.neighbours(queries, distances.shape[1])
        np.testing.assert_allclose(found.distances, distances, rtol=2e-5, atol=1e-6)
        for own, ours, theirs in zip(distances, found.entries, entries, strict=True):
            # Of equally distant ones each takes others, and the last may have equals that did not come in.
            untied = [i for i in range(len(own) - 1) if not np.isclose(np.delete(own, i), own[i], rtol=1e-5).any()]
            self.assertEqual(ours[untied].tolist(), theirs[untied].tolist())

    def translate(self, sources, **changes):
        """Hypotheses of each sentence, best first."""
        self.write_side("test.src", sources)
        settings = json.loads(self.config.read_text(encoding="utf-8"))
        settings["decode"] = [{"name": "knn", "source": f"{self.folder}/test.src", **changes}]
        self.config.write_text(json.dumps(settings), encoding="utf-8")
        self.run_stage("decode", ranks=1)
        lines = (self.folder / "run/decode/knn/nbest.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["nbest"] for line in lines]

    def assert_same_translations(self, path, **changes):
        """Sentence by sentence, with the log-probability of each."""
        generated = read_generated(path)
        hypotheses = self.translate([source for source, _ in generated.values()], **changes)
        for ours, (_, theirs) in zip(hypotheses, generated.values(), strict=True):
            self.assertEqual([hypothesis["text"] for hypothesis in ours], [text for _, text in theirs])
            np.testing.assert_allclose([hypothesis["score"] for hypothesis in ours],
                                       [score for score, _ in theirs], rtol=1e-4, atol=1e-5)

    def test_knn_seq(self):
        """OPQ, lists found by a graph, PQ."""
        files = {"keys": ["keys.ffn_in.0.bin"], "values": ["values.0.bin"], "index": ["index.0.bin"]}
        graph = {"knn": {"k": 8, "nprobe": 4, "temperature": 2, "lambda": 0.6, "probing": "hnsw"}}
        expected = self.import_store("knn-seq", "fairseq-prenorm", "OPQ4,IVF16_HNSW8,PQ4", files, **graph)
        self.assert_same_neighbours(*(expected[name] for name in ("queries", "distances", "entries")))
        self.assert_same_translations(DATA / "imports/knn-seq/generate.txt")

    def test_two_shards_of_knn_seq(self):
        files = {what: [f"{name}.{i}.bin" for i in range(2)]
                 for what, name in (("keys", "keys.ffn_in"), ("values", "values"), ("index", "index"))}
        expected = self.import_store("knn-seq", "fairseq-prenorm", "OPQ4,IVF16_HNSW8,PQ4", files)
        self.assert_same_neighbours(*(expected[name] for name in ("queries", "distances_of_both", "entries_of_both")))

        self.assert_settings_are_compared()

    def assert_settings_are_compared(self):
        """Those that knn-seq keeps beside an index."""
        store = DATA / "imports/knn-seq"
        settings = json.loads((store / "index.0.json").read_text(encoding="utf-8"))
        shutil.copy(store / "index.0.bin", self.folder)
        config = json.loads(self.config.read_text(encoding="utf-8"))
        for changed, says in (({"metric": "cos"}, "field 'metric' is cos, index.metric l2"),
                              ({"ivf_lists": 8}, "field 'ivf_lists' is 8, but index.0.bin has 16"),
                              ({"use_opq": False}, "field 'use_opq' does not fit index.0.bin")):
            (self.folder / "index.0.json").write_text(json.dumps(settings | changed), encoding="utf-8")
            config["run_dir"] = f"{self.folder}/{'-'.join(changed)}"
            config["import"] = {"keys": str(store / "keys.ffn_in.0.bin"), "values": str(store / "values.0.bin"),
                                "index": f"{self.folder}/index.0.bin"}
            self.config.write_text(json.dumps(config), encoding="utf-8")
            self.assertIn(says, self.run_stage("import", ranks=1, code=2))
            self.assertFalse((self.folder / config["run_dir"] / "codebook/manifest.json").exists())

    def test_index_of_a_subset_search_of_knn_seq(self):
        """PCA and PQ without lists."""
        files = {"keys": ["keys.ffn_in.0.bin"], "values": ["values.0.bin"], "index": ["subset.bin"]}
        expected = self.import_store("knn-seq", "fairseq-prenorm", "PCA16,PQ4", files)
        self.assert_same_neighbours(*(expected[name] for name in ("queries", "subset_distances", "subset_entries")))

    def test_knn_box(self):
        """Memory maps that config.json describes; keys are the last layer's output."""
        files = {"keys": ["keys.npy"], "values": ["vals.npy"], "index": ["keys.faiss_index"]}
        expected = self.import_store("knn-box", "fairseq-postnorm", "IVF16,PQ4", files, datastore={"key": "ffn_out"})
        self.assert_same_neighbours(*(expected[name] for name in ("queries", "distances", "entries")))
        self.assert_same_translations(DATA / "imports/knn-box/generate.txt", nprobe=16)

    def test_knn_transformers(self):
        """Memory maps whose names tell their sizes."""
        stem = "dstore_marian_765_24"
        files = {"keys": [f"{stem}_keys.npy"], "values": [f"{stem}_vals.npy"], "index": ["index_marian_765_24.indexed"]}
        expected = self.import_store("knn-transformers", "marian-sharded", "IVF16,PQ4", files)
        self.assert_same_neighbours(*(expected[name] for name in ("queries", "distances", "entries")))
        greedy = json.loads((DATA / "imports/knn-transformers/greedy.json").read_text(encoding="utf-8"))
        hypotheses = self.translate([sentence["source"] for sentence in greedy], beam=1, nbest=1)
        self.assertEqual([ours[0]["tokens"] for ours in hypotheses], [sentence["tokens"] for sentence in greedy])

    def test_adaptive_knn_mt(self):
        """Memory maps in fp32 that nothing describes."""
        files = {"keys": ["keys.npy"], "values": ["vals.npy"], "index": ["knn_index"]}
        expected = self.import_store("adaptive-knn-mt", "fairseq-postnorm", "IVF16,PQ4", files,
                                     datastore={"key": "ffn_out"})
        self.assert_same_neighbours(*(expected[name] for name in ("queries", "distances", "entries")))
        self.assert_same_translations(DATA / "imports/adaptive-knn-mt/generate.txt", nprobe=16)


if __name__ == "__main__":
    unittest.main()
