"""scripts/reference_knnmt.py recomputes what the program made: appended corpora, subsets, pruned indexes, policies
and metrics, with an imported fairseq model, which needs NumPy, h5py, faiss and PyYAML only."""
import json
import random
import re
import subprocess
import sys
import unittest

import numpy as np

import pipeline

sys.path.insert(0, str(pipeline.ROOT / "scripts"))
import reference_fairseq  # noqa: E402
import reference_subset  # noqa: E402
import tensor_files  # noqa: E402

MODELS = pipeline.ROOT / "tests/data/models"
VARIANTS = ("fairseq-postnorm", "fairseq-prenorm", "fairseq-wmt19-like")


class FairseqModels(unittest.TestCase):
    """What fairseq itself computed with these models."""

    def test_vectors_and_probabilities(self):
        for variant in VARIANTS:
            model = reference_fairseq.FairseqModel(MODELS / variant)
            stored = tensor_files.read_safetensors(MODELS / variant / "expected.safetensors")
            expected = {name: tensor.array() for name, tensor in stored.items()}
            at, sides = {"source": 0, "target": 0}, ("source", "target")
            for lengths in list(zip(expected["source_lengths"], expected["target_lengths"]))[:6]:
                rows = {side: slice(at[side], at[side] + length) for side, length in zip(sides, lengths)}
                at = {side: rows[side].stop for side in sides}
                source, target = (expected[f"{side}_ids"][rows[side]].tolist() for side in sides)
                for key, name in (("ffn_in", "ffn_in"), ("ffn_out", "decoder_layers")):
                    vectors, log_p, encoded = model.teacher_force(source, target, key, 0)
                    np.testing.assert_allclose(vectors, expected[name][0][rows["target"]], atol=1e-5)
                np.testing.assert_allclose(encoded, expected["encoder_output"][rows["source"]], atol=1e-5)
                best = np.take_along_axis(log_p, expected["top_ids"][rows["target"]].astype(int), 1)
                np.testing.assert_allclose(best, expected["top_log_probs"][rows["target"]], atol=1e-5)


class Lexical(unittest.TestCase):
    """The sentences that rank_bm25 and scikit-learn rank."""

    def test_rankings(self):
        cases = json.loads((pipeline.ROOT / "tests/data/lexical.json").read_text(encoding="utf-8"))
        for score in ("bm25", "tfidf"):
            finder = reference_subset.Bm25(cases["sentences"], score == "tfidf")
            for query, expected in zip(cases["queries"], cases[score], strict=True):
                scores, seen = finder.scores(query)
                np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
                found = finder.find(query, 10)
                self.assertTrue(seen[found].all())
                self.assertEqual(len(found), min(10, seen.sum()))


class Reference(pipeline.PipelineTest):
    def setUp(self):
        super().setUp()
        generator = random.Random(1)
        for name, count in (("corpus", 140), ("news", 40), ("test", 12)):
            words = [generator.sample(range(3, 90), generator.randint(4, 11)) for _ in range(count)]
            if name == "test":
                words = self.words[:6] + words[:6]
            self.words = words if name == "corpus" else self.words
            self.write_side(f"{name}.de", [" ".join(f"s{n}" for n in line) for line in words])
            self.write_side(f"{name}.en", [" ".join(f"t{n}" for n in line[::-1]) for line in words])
        text = {"source": f"{self.folder}/test.de", "reference": f"{self.folder}/test.en"}
        self.settings = {
            "run_dir": f"{self.folder}/run", "model": str(MODELS / "fairseq-wmt19-like"), "shards": 2,
            "corpus": {"source": f"{self.folder}/corpus.de", "target": f"{self.folder}/corpus.en"},
            "append": [{"name": "news", "source": f"{self.folder}/news.de", "target": f"{self.folder}/news.en"}],
            "index": {"factory": "OPQ4_16,IVF8,PQ4"}, "knn": {"k": 8, "nprobe": 4, "temperature": 2, "lambda": 0.6},
            "beam_search": {"max_length_b": 20}, "evaluate": {"language": "en"},
            "decode": [{"name": "a.base", "knn": False, **text}, {"name": "any-name", **text},
                       {"name": "far", "policy": "distance", "tau": 50, "threshold": -40, **text}]}
        self.near = {"name": "near", "mode": "subset", **text}
        self.config.write_text(json.dumps(self.settings), encoding="utf-8")

    def compare(self, *options, run="run", code=0):
        """{row: largest difference} and all that was printed."""
        done = subprocess.run([sys.executable, pipeline.ROOT / "scripts/reference_knnmt.py", self.folder / run,
                               "--sentences", "12", *options], capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        rows = re.findall(r"^(keys|log p of each token|score of each translation) +\d+ +(\S+)", done.stdout, re.M)
        return {name: float(value) for name, value in rows}, done.stdout + done.stderr

    def assert_recomputed(self, *options, **how):
        rows, printed = self.compare(*options, **how)
        self.assertLess(rows["log p of each token"], 1e-4, printed)
        self.assertLess(rows["score of each translation"], 1e-4, printed)
        self.assertLess(rows.get("keys", 0), 0.01, printed)
        return printed

    def test_all(self):
        self.run_stage("run", ranks=1)
        self.assertIn("of 2 corpora", self.assert_recomputed())  # the first with kNN, whatever it is called
        self.assert_recomputed("--decoding", "far")
        self.assertIn("without kNN", self.compare("--decoding", "a.base", code=1)[1])
        self.assertIn("no run directory", self.compare(run="none", code=1)[1])

        pruned = ("--set", "datastore.prune.distance=1", "--set", "datastore.prune.neighbours=1")
        for stage in ("prune", "append", "decode far --force"):
            self.run_stage(stage, *pruned, ranks=1)
        self.assert_recomputed("--decoding", "far")
        self.assert_recomputed("--decoding", "any-name")  # was made with the whole index
        for stage in ("train", "add"):
            self.run_stage(f"{stage} --force", "--set", "index.seed=7", ranks=1)
        self.assertIn("run 'knnseq append news --force'", self.compare("--decoding", "far", code=1)[1])
        self.run_stage("append --force", ranks=1)
        self.assertIn("was made with another index", self.compare("--decoding", "any-name", code=1)[1])

    def test_types_of_keys(self):
        """Keys of 32 bits are the model's own, those of bfloat16 have its rounding; decoding finds by either."""
        for keys, bits in (("fp32", 32), ("bf16", 16)):
            settings = {key: value for key, value in self.settings.items() if key != "append"}
            settings |= {"run_dir": f"{self.folder}/{keys}", "datastore": {"keys": keys},
                         "decode": self.settings["decode"][1:2]}
            self.config.write_text(json.dumps(settings), encoding="utf-8")
            self.run_stage("run", ranks=2)
            self.assertIn(f"keys with the same {bits} bits", self.assert_recomputed(run=keys))
            checked = subprocess.run([sys.executable, pipeline.ROOT / "scripts/check_datastore.py",
                                      self.folder / keys], capture_output=True, text=True)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
            self.assertIn("every token the entry's value", checked.stdout)
        self.assertIn('keys: was "bf16", is', self.run_stage("encode", "--set", "datastore.keys=fp16", ranks=1, code=2))
        # Stages take the type from the store, never from the config; each corpus may have its own.
        fp16 = ("--set", "datastore.keys=fp16")
        for stage in ("train --force", "add --force", "decode --force"):
            self.run_stage(stage, *fp16, ranks=1)
        self.assert_recomputed(run="bf16")

    def test_subsets(self):
        settings = {key: value for key, value in self.settings.items() if key != "append"}
        settings |= {"decode": [self.near], "subset": {"sentences": 30, "index": "Flat", "codes": "OPQ4_16,PQ4"}}
        self.config.write_text(json.dumps(settings), encoding="utf-8")
        self.run_stage("run", ranks=1)
        self.assertIn("of 1 corpora", self.assert_recomputed())
        lexical = ("--set", "subset.encoder=bm25")
        self.run_stage("subset", "--force", *lexical, ranks=1)
        self.run_stage("decode near", "--force", *lexical, ranks=1)
        self.assert_recomputed()

    def test_other_indexes(self):
        """The inner product; the cosine without lists; a graph over the lists, and no stored keys."""
        decode = [item for item in self.settings["decode"] if item["name"] in ("any-name", "far")]
        for run, changes, name in (
                ("ip", {"index": {"factory": "IVF8,PQ4", "metric": "ip"}}, "any-name"),
                ("cos", {"index": {"factory": "Flat", "metric": "cos"}}, "any-name"),
                ("graph", {"index": {"factory": "IVF8_HNSW8,PQ4"}, "datastore": {"store": "none"}}, "far")):
            changes |= {"run_dir": f"{self.folder}/{run}", "decode": [i for i in decode if i["name"] == name]}
            self.config.write_text(json.dumps(self.settings | changes), encoding="utf-8")
            self.run_stage("run", ranks=1)
            printed = self.assert_recomputed(run=run)
            self.assertEqual("keys with the same 16 bits" in printed, run != "graph", printed)


if __name__ == "__main__":
    unittest.main()
