"""`knnseq import` beside faiss and what other programs write: the same keys, values and neighbours; and what is
refused. Needs NumPy, h5py and faiss. The programs' files are made here as their code makes them."""
import json
import random
import re
import subprocess
import sys
import unittest

import faiss
import h5py
import numpy as np

import pipeline

sys.path[:0] = [str(pipeline.ROOT / "scripts")]
import knnseq  # noqa: E402

MODEL = pipeline.ROOT / "tests/data/models/fairseq-wmt19-like"
MADE = ("corpus/*", "datastore/*", "codebook/*", "index/*")


class Import(pipeline.PipelineTest):
    def setUp(self):
        super().setUp()
        generator = random.Random(1)
        for name, count in (("corpus", 140), ("test", 6)):
            words = [generator.sample(range(3, 90), generator.randint(4, 11)) for _ in range(count)]
            self.write_side(f"{name}.de", [" ".join(f"s{n}" for n in line) for line in words])
            self.write_side(f"{name}.en", [" ".join(f"t{n}" for n in line[::-1]) for line in words])
        self.settings = {
            "run_dir": f"{self.folder}/run", "model": str(MODEL), "shards": 2,
            "corpus": {"source": f"{self.folder}/corpus.de", "target": f"{self.folder}/corpus.en"},
            "index": {"factory": "OPQ4_16,IVF8,PQ4"}, "knn": {"k": 8, "nprobe": 4, "temperature": 2, "lambda": 0.6},
            "datastore": {"keys": "fp32"}, "beam_search": {"max_length_b": 20}, "evaluate": {"language": "en"},
            "decode": [{"name": "knn", "source": f"{self.folder}/test.de", "reference": f"{self.folder}/test.en"}]}

    def configure(self, run, **changes):
        """Writes a config whose run directory is `run` and which imports, if `changes` say so."""
        settings = {**self.settings, "run_dir": f"{self.folder}/{run}", **changes}
        if "import" in changes:
            del settings["corpus"]
            settings["import"] = {what: [str(self.folder / file) for file in files]
                                  if isinstance(files, list) else files for what, files in changes["import"].items()}
        self.config.write_text(json.dumps(settings), encoding="utf-8")

    def client(self, run):
        return knnseq.Run(self.folder / run)

    def assert_same_entries(self, run, keys=None):
        """Keys, bit by bit, and values of a run are those that were given."""
        datastore = self.client(run).datastore
        np.testing.assert_array_equal(datastore.keys(np.arange(len(datastore))), self.keys if keys is None else keys)
        np.testing.assert_array_equal(datastore.values(), self.values)

    def reference(self, run):
        done = subprocess.run([sys.executable, pipeline.ROOT / "scripts/reference_knnmt.py", self.folder / run,
                               "--sentences", "6"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("\nkeys", done.stdout)  # there is no text to make them of
        return float(re.search(r"^log p of each token +\d+ +(\S+)", done.stdout, re.M).group(1))

    def test_all(self):
        self.configure("run")
        self.run_stage("run", ranks=1)
        self.run_stage("export", ranks=1)
        own = self.client("run").datastore
        self.keys, self.values = own.keys(np.arange(len(own))), own.values()
        self.check_numpy_and_index()
        self.check_memory_maps()
        self.check_knn_seq()
        self.check_refusals()

    def check_numpy_and_index(self):
        """What export writes comes back: the same bytes for any ranks, and the same translations."""
        np.save(self.folder / "keys.npy", self.keys)
        np.save(self.folder / "values.npy", self.values.astype(np.uint16))
        index = str(self.folder / "run/export/index.faiss")
        self.configure("numpy", **{"import": {"keys": ["keys.npy"], "values": ["values.npy"], "index": [index]}})
        printed = self.run_stage("import", ranks=3)
        self.assertIn("keys of width 16 in fp32. There is no text", printed)
        self.assert_same_entries("numpy")
        before = self.digests(*MADE, run="numpy")
        self.run_stage("import", "--set", f"run_dir={self.folder}/alone", ranks=1)
        self.assertEqual(self.digests(*MADE, run="alone"), before)
        self.assertEqual(self.leftovers("numpy"), [])
        self.run_stage("run", ranks=2)  # import is done
        self.assertEqual(self.digests("decode/knn/*.jsonl", run="numpy"), self.digests("decode/knn/*.jsonl"))
        self.run_stage("verify", ranks=1)
        self.assertEqual(self.digests(*MADE, run="numpy"), before)
        for step in ("datastore", "codebook", "index"):
            self.assertEqual(self.client("numpy").manifest(step)["inputs"]["imported"]["from"], "numpy")
        for stage, text in (("partition", "has no corpus, but import"), ("encode", "encoding needs the text"),
                            ("subset", "subset needs features of the source sentences")):
            self.assertIn(text, self.run_stage(stage, ranks=1, code=2))

    def check_memory_maps(self):
        """knn-box with fp16, and run, which trains and adds; the others."""
        half = self.keys.astype(np.float16)
        for folder in ("box", "adaptive"):
            (self.folder / folder).mkdir()
            (half if folder == "box" else self.keys).tofile(self.folder / folder / "keys.npy")
            self.values.astype(np.int64).tofile(self.folder / folder / "vals.npy")
        infos = {"keys": {"name": "keys", "shape": half.shape, "dtype": "<class 'numpy.float16'>"},
                 "vals": {"name": "vals", "shape": [len(half)], "dtype": "<class 'int'>"}}
        (self.folder / "box/config.json").write_text(json.dumps({"data_list": ["keys", "vals"], "data_infos": infos}))
        self.configure("from-box", **{"import": {"keys": ["box/keys.npy"], "values": ["box/vals.npy"]}})
        self.run_stage("run", ranks=1)
        self.assert_same_entries("from-box", half.astype(np.float32))

        self.configure("from-adaptive", **{"import": {"keys": ["adaptive/keys.npy"], "values": ["adaptive/vals.npy"]}})
        self.run_stage("import", ranks=1)
        self.assert_same_entries("from-adaptive")

        name = f"dstore_marian_{len(half)}_16"
        half.tofile(self.folder / f"{name}_keys.npy")
        self.values.astype(np.int32).tofile(self.folder / f"{name}_vals.npy")
        self.configure("from-hf", **{"import": {"keys": [f"{name}_keys.npy"], "values": [f"{name}_vals.npy"]}})
        self.run_stage("import", ranks=1)
        self.assert_same_entries("from-hf", half.astype(np.float32))
        origins = [self.client(run).manifest("datastore")["inputs"]["imported"]["from"]
                   for run in ("from-box", "from-adaptive", "from-hf")]
        self.assertEqual(origins, ["knn-box", "adaptive-knn-mt", "knn-transformers"])

    def check_knn_seq(self):
        """Two shards, and an index with OPQ and a graph over its lists, which is walked as faiss walks it."""
        ends = np.flatnonzero(self.values == 2) + 1  # of sentences
        middle = len(ends) // 2
        parts = np.split(np.arange(len(self.keys)), [ends[middle - 1]])
        lengths = np.split(np.diff(ends, prepend=0), [middle])
        for number, rows in enumerate(parts):
            with h5py.File(self.folder / f"keys{number}.bin", "w") as file:
                file.create_dataset("memory", data=self.keys[rows])
            with h5py.File(self.folder / f"values{number}.bin", "w") as file:
                file.create_dataset("tokens", data=self.values[rows], dtype=np.int32)
                file.create_dataset("lengths", data=lengths[number], dtype=np.int32)
                file.create_dataset("sort_order", data=np.arange(len(lengths[number]))[::-1])
        coarse = faiss.IndexHNSWFlat(16, 8)
        lists = faiss.IndexIVFPQ(coarse, 16, 8, 4, 8)
        rotation = faiss.OPQMatrix(16, 4)
        rotation.niter, rotation.niter_pq, rotation.niter_pq_0 = 2, 2, 2
        lists.cp.min_points_per_centroid = lists.pq.cp.min_points_per_centroid = 1
        index = faiss.IndexPreTransform(rotation, lists)
        index.train(self.keys)
        index.add(self.keys)
        faiss.write_index(index, str(self.folder / "seq.bin"))
        imports = {"keys": ["keys0.bin", "keys1.bin"], "values": ["values0.bin", "values1.bin"], "index": ["seq.bin"]}
        self.configure("from-seq", index={"factory": "OPQ4_16,IVF8_HNSW8,PQ4"}, **{"import": imports},
                       knn={**self.settings["knn"], "probing": "hnsw"})
        self.run_stage("import", ranks=2)
        self.assert_same_entries("from-seq")
        self.run_stage("decode", ranks=2)
        self.assertLess(self.reference("from-seq"), 1e-4)
        faiss.extract_index_ivf(index).nprobe = 4
        queries = self.keys[::7] + np.float32(0.01)
        distances, rows = index.search(queries, 8)
        found = self.client("from-seq").neighbours(queries, 8)
        np.testing.assert_allclose(found.distances, distances, rtol=1e-5, atol=1e-6)
        differ = found.entries != rows  # of equally distant ones knnseq takes the first
        np.testing.assert_allclose(found.distances[differ], distances[differ], rtol=1e-6)
        self.assertLess(differ.mean(), 0.05)

    def refused(self, says, *options, **imports):
        imports = {"keys": ["keys.npy"], "values": ["values.npy"], **imports}
        run = f"refused-{len(list(self.folder.glob('refused-*')))}"
        self.configure(run, **{"import": imports})
        (self.folder / run).mkdir()
        self.assertIn(says, self.run_stage("import", *options, ranks=1, code=2))
        finished = "codebook" if "index" in imports else "datastore"
        self.assertFalse((self.folder / run / finished / "manifest.json").exists())

    def check_refusals(self):
        def save(name, array):
            np.save(self.folder / name, array, allow_pickle=True)
            return {name.split("-")[0]: [name]}

        self.refused("has keys of width 15, the model's are 16 wide", **save("keys-narrow.npy", self.keys[:, :15]))
        self.refused("pickled", **save("values-objects.npy", self.values.astype(object)))
        bad = self.values.astype(np.int64)
        bad[3] = 9999
        self.refused("row 3 holds token 9999", **save("values-other.npy", bad))
        index = faiss.read_index(str(self.folder / "run/export/index.faiss"))
        self.refused("index.factory is Flat, the imported index is OPQ4_16,IVF8,PQ4", "--set", "index.factory=Flat",
                     index=[str(self.folder / "run/export/index.faiss")])
        index.reset()
        index.add(np.ascontiguousarray(self.keys[::-1]))
        faiss.write_index(index, str(self.folder / "reversed.faiss"))
        self.refused("is not an index of these keys", index=["reversed.faiss"])


if __name__ == "__main__":
    unittest.main()
