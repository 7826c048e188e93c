"""An index with fewer entries: which ones are left out, and that all else goes on working."""
import json
import math
import shutil
import subprocess
import unittest

import numpy as np

import pipeline

LEFT_OUT = 2**32 - 1  # in values.npy


class Prune(pipeline.AppendingTest):
    def prune(self, *settings, run="run"):
        return ("--set", f"run_dir={self.folder / run}",
                *(option for setting in settings for option in ("--set", f"datastore.prune.{setting}")))

    def build(self, *options, ranks=2, append=True):
        for stage in ("partition", "encode", "train", "add", "prune", *(("append",) if append else ())):
            printed = self.run_stage(stage, *options, ranks=ranks)
        return printed

    def content(self, folder, run="run"):
        return json.loads((self.folder / run / folder / "manifest.json").read_text())["content"]

    def dataset(self, name, path):
        """Values of a dataset of one dimension."""
        text = subprocess.run(["h5dump", "-y", "-w", "0", "-d", name, path], capture_output=True, text=True,
                              check=True).stdout
        return [float(number) for number in text.split("DATA {")[1].split("}")[0].split(",")]

    def log_probs(self, folder):
        """log p of the first corpus's entries, by their numbers."""
        found = {}
        for shard in ("shard-00000.h5", "shard-00001.h5"):
            datastore = self.run_dir / "datastore" / shard
            starts = [int(start) for start in self.dataset("sentence_starts", datastore)]
            values = self.dataset("log_probs", self.run_dir / folder / shard)
            self.assertEqual(len(values), starts[-1])
            for sentence, first in enumerate(self.dataset("entry_starts", datastore)):
                for row in range(starts[sentence], starts[sentence + 1]):
                    found[int(first) + row - starts[sentence]] = values[row]
        return np.array([found[number] for number in range(len(found))])

    def ends_sentence(self):
        """Which entries are the last of their sentence."""
        ends = []
        for shard in ("shard-00000.h5", "shard-00001.h5"):
            datastore = self.run_dir / "datastore" / shard
            lengths = np.diff(self.dataset("sentence_starts", datastore))
            ends += list(np.array(self.dataset("entry_starts", datastore)) + lengths - 1)
        found = np.zeros(self.content("corpus")["entries"], bool)
        found[np.array(ends, int)] = True
        return found

    def left_out(self, *options):
        """Which entries are not in the exported index, by their numbers."""
        self.run_stage("export", "--force", *options, ranks=1)
        return np.load(self.run_dir / "export/values.npy") == LEFT_OUT

    @unittest.skipUnless(shutil.which("h5dump"), "h5dump is not installed")
    def test_what_the_model_is_sure_of_is_left_out(self):
        options = self.prune("probability=0.6")
        self.build(*options, append=False)
        without_corpus = ("--set", "append=[]")
        log_probs = self.log_probs("pruned/log-probs")
        expected = (log_probs >= math.log(0.6)) & ~self.ends_sentence()
        self.assertTrue(0.05 < expected.mean() < 0.9, expected.mean())
        np.testing.assert_array_equal(self.left_out(*options, *without_corpus), expected)
        kept = self.content("pruned/index")
        self.assertEqual((kept["entries"], kept["sure_entries"]),
                         (len(expected) - expected.sum(), expected.sum()))

        # Another pass over the first sentences gives the same probabilities.
        for side in ("de", "en"):
            lines = (self.folder / f"corpus.{side}").read_text(encoding="utf-8").splitlines()
            self.write_side(f"tuned.{side}", lines[:20])
        self.run_stage("tune", *options, *without_corpus, "--set", f"tune.source={self.folder}/tuned.de",
                       "--set", f"tune.reference={self.folder}/tuned.en", "--set", "tune.k=8", "--set",
                       "tune.candidates=1", "--set", "tune.policies=[fixed]", "--set", "tune.lambda=0.5",
                       "--set", "tune.temperature=10")
        grid = json.loads((self.run_dir / "tune/tune.json").read_text())["grid"]
        self.assertAlmostEqual(log_probs[:grid["tokens"]].mean(), grid["base_log_likelihood"], delta=2e-3)

        # encode may store them instead.
        stored = self.prune("probability=0.6", run="stored") + ("--set", "datastore.log_probs=true")
        self.build(*stored, append=False)
        self.assertFalse((self.folder / "stored/pruned/log-probs").exists())
        self.assertEqual(self.digest("pruned/index/*.faiss", run="stored"), self.digest("pruned/index/*.faiss"))

    def test_the_same_for_any_number_of_ranks_and_shards(self):
        pruned, exports, translations = set(), set(), set()
        for ranks, shards in ((1, 2), (3, 2), (2, 3)):
            run = f"p{ranks}s{shards}"
            options = self.prune("distance=1", "neighbours=1", "probability=0.8", run=run) + ("--set", f"shards={shards}")
            self.build(*options, ranks=ranks)
            self.run_stage("decode knn", *options, ranks=ranks)
            self.run_stage("export", *options, ranks=ranks)
            if shards == 2:
                pruned.add(self.digest("pruned/*/*", "append/news/pruned/*/*", run=run))
            exports.add(self.digest("export/*.*[!n]", run=run))
            translations.add(self.digest("decode/*/hyp.txt", "decode/*/nbest.jsonl", run=run))
            content = self.content("pruned/index", run)
            self.assertGreater(content["like_entries"], 20)
            self.assertGreater(content["sure_entries"], 20)
            self.assertEqual(content["entries"] + content["like_entries"] + content["sure_entries"],
                             self.content("corpus", run)["entries"])
            self.assertLess(self.content("append/news/pruned/index", run)["entries"],
                            self.content("append/news/corpus", run)["entries"])
        for found in (pruned, exports, translations):
            self.assertEqual(len(found), 1)

    def test_what_was_pruned_is_searched_measured_and_can_be_looked_at(self):
        options = self.prune("distance=0.6")
        for stage in ("partition", "encode", "train", "add"):
            self.run_stage(stage)
        self.run_stage("append")
        self.run_stage("decode knn")
        self.assertIn("neither a probability nor a distance", self.run_stage("prune", code=2))
        self.assertIn("run 'knnseq prune' first", self.run_stage("decode knn", *options, code=2))
        measured = self.run_stage(
            "prune", *options, "--set", "append=[]", "--set", "datastore.prune.measure=true", "--set",
            f"tune.source={self.folder}/test.de", "--set", f"tune.reference={self.folder}/test.en")
        self.assertRegex(measured, r"kept [\d,]+ of [\d,]+ entries \([\d.]+ %; [\d.]+ % like others\); the "
                                   r"index has [\d.]+ .iB instead of")
        self.assertRegex(measured, r"\| whole +\| +[\d.]+ \|.*\n\| pruned +\| +[\d.]+ \|")
        self.assertIn("run 'knnseq append news' first", self.run_stage("decode knn", *options, code=2))
        self.run_stage("append", *options)
        self.assertRegex(self.run_stage("decode knn", *options, code=2), r"indexes: (\d of \d changed|were \d, are \d)")
        self.run_stage("decode knn", "--force", *options)
        self.run_stage("decode base", *options)
        self.run_stage("inspect", *options, ranks=1)
        self.run_stage("verify")
        self.assertIn("was pruned by other settings",
                      self.run_stage("decode knn", *self.prune("distance=0.5"), code=2))
        self.assertIn("distance: was 0.6, is 0.5", self.run_stage("prune", *self.prune("distance=0.5"), code=2))
        self.run_stage("prune", "--force", *self.prune("distance=0.5"))
        self.run_stage("decode knn", "--force")  # all entries again

        damaged = self.run_dir / "pruned/index/shard-00000.faiss"
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
        self.assertIn("run 'knnseq prune --force'", self.run_stage(
            "decode knn", "--force", *self.prune("distance=0.5"), "--set", "append=[]", code=2))

    def test_what_cannot_be_is_refused_before_any_work(self):
        flat = self.prune("distance=0.5") + ("--set", "index.factory=PQ16")
        self.assertIn("PQ16 has no lists", self.run_stage("partition", *flat, code=2))
        for setting, says in (("probability=0", "datastore.prune.probability"), ("distance=-1", "distance"),
                              ("measure=true", "needs tune.source"), ("share=0.5", "datastore.prune.share")):
            self.assertIn(says, self.run_stage("partition", *self.prune(setting), code=2))
        self.assertIn("datastore.log_probs: must be false", self.run_stage(
            "partition", "--set", "datastore.store=none", "--set", "datastore.log_probs=true", code=2))


if __name__ == "__main__":
    unittest.main()
