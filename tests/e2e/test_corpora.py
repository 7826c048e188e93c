"""Weights of corpora, and searching some of them only: by the program, and by the Python client."""
import json
import shutil
import sys
import unittest

import numpy as np

import pipeline

sys.path.insert(0, str(pipeline.ROOT / "scripts"))
import knnseq  # noqa: E402

TRANSLATIONS = ("decode/knn/hyp.txt", "decode/knn/nbest.jsonl")
WEIGHT = 20


class Corpora(pipeline.AppendingTest):
    def trace(self):
        options = ("--json", "--set", "inspect.line=7", "--set", "inspect.token=2", "--set", "inspect.neighbours=16")
        printed = self.run_stage("inspect", "--set", f"append.0.weight={WEIGHT}", *options, ranks=1)
        return json.JSONDecoder().raw_decode(printed[printed.index("{"):])[0]["trace"]

    def check_shares(self):
        """The trace's shares are exp(-d/T) times the weight, over their sum; the client's are the same."""
        trace = self.trace()
        token = trace["target"]["tokens"][1]
        names = [trace["sentences"][neighbour["sentence"]]["corpus"] for neighbour in token["neighbours"]]
        self.assertEqual(set(names), {"", "news"})
        distances = np.array([neighbour["distance"] for neighbour in token["neighbours"]])
        shares = np.array([neighbour["share"] for neighbour in token["neighbours"]])
        weights = np.where(np.array(names) == "", 1, WEIGHT)
        expected = weights * np.exp(-(distances - distances.min()) / 20)
        np.testing.assert_allclose(shares, expected / expected.sum(), rtol=1e-4, atol=1e-7)
        run = knnseq.Run(self.run_dir, folder=pipeline.ROOT)
        mixing = run.mixing("knn")
        entries = np.array([neighbour["entry"] for neighbour in token["neighbours"]])
        np.testing.assert_array_equal(mixing.weights_of(entries), weights)
        own = mixing.weigh(distances, None, None, None, mixing.weights_of(entries))[1]
        np.testing.assert_allclose(own, shares, rtol=1e-4, atol=1e-7)

    def subset(self, *options, ranks=2):
        """Translates in subsets; the translations' checksum and how many are just as the reference."""
        self.run_stage("decode knn", "--force", "--set", "decode.1.mode=subset", *options, ranks=ranks)
        lines = [(self.folder / file).read_text(encoding="utf-8").splitlines()
                 for file in ("run/decode/knn/hyp.txt", "test.en")]
        return self.digest(*TRANSLATIONS), sum(a == b for a, b in zip(*lines))

    def test_subsets(self):
        """Half of the test set stands in the first corpus, half in the appended one."""
        options = ("--set", "subset.codes=PQ16", "--set", "subset.sentences=60", "--set", "subset.sample=500")
        alone = (*options, "--set", "append=[]")
        for stage in ("partition", "encode", "train", "add", "subset"):
            self.run_stage(stage, *alone)
        before = self.subset(*alone)
        self.run_stage("append")
        self.assertIn("run 'knnseq subset' first", self.run_stage(
            "decode knn", "--set", "decode.1.mode=subset", *options, ranks=1, code=2))
        self.run_stage("subset", *options, ranks=3)
        both = {self.subset(*options, ranks=ranks) for ranks in (1, 3)}
        self.assertEqual(len(both), 1)
        self.assertGreater(both.pop()[1], before[1] + 3)
        self.assertEqual(self.subset(*options, "--set", "knn.corpora=main"), before)
        pieces = self.subset(*options, "--set", "subset.encoder=bm25")
        self.assertGreater(pieces[1], before[1] + 3)
        self.assertLess(self.subset(*options, "--set", "subset.encoder=bm25", "--set", "append.0.weight=0.001")[1],
                        pieces[1])

    def test_weights_and_names(self):
        self.run_stage("run")
        both = self.digest(*TRANSLATIONS)
        # Another run directory brings what was appended there.
        shutil.copytree(self.run_dir, self.folder / "other")
        other = ("--set", "append=[]", "--set", f"knn.datastores={self.folder}/other")
        self.run_stage("decode knn", "--force", *other)
        self.assertEqual(self.digest(*TRANSLATIONS), both)
        self.assertIn("are those of this run's own datastore",
                      self.run_stage("decode knn", *other, "--set", "knn.corpora=main", ranks=1, code=2))
        equal = ("--set", "append.0.weight=1", "--set", "knn.corpora=[main, news]")
        self.assertIn("already done", self.run_stage("decode knn", *equal, ranks=1))

        weighted = ("--set", f"append.0.weight={WEIGHT}")
        self.assertIn("weights: ", self.run_stage("decode knn", *weighted, ranks=1, code=2))
        found = set()
        for ranks, copies in ((1, "auto"), (3, "job")):
            self.run_stage("decode knn", "--force", *weighted, "--set", f"knn.copies={copies}", ranks=ranks)
            found.add(self.digest(*TRANSLATIONS))
        self.assertEqual(len(found), 1)
        self.assertNotIn(both, found)
        self.assertIn("other inputs: weights", self.run_stage("inspect", ranks=1, code=2))
        self.check_shares()

        self.run_stage("decode knn", "--force", "--set", "knn.corpora=[main]")
        alone = self.digest(*TRANSLATIONS)
        self.assertNotEqual(alone, both)
        self.assertEqual(knnseq.Run(self.run_dir).knn_settings("knn")["corpora"], ["main"])
        self.assertIn("already done", self.run_stage("decode knn", "--set", "append=[]", ranks=1))
        self.run_stage("decode knn", "--force", "--set", "knn.corpora=news", ranks=3)
        self.run_stage("inspect", "--set", "knn.corpora=news", ranks=1)
        mixing = knnseq.Run(self.run_dir, folder=pipeline.ROOT).mixing("knn")
        self.assertEqual(len(mixing.index), json.loads(
            (self.run_dir / "append/news/corpus/manifest.json").read_text())["content"]["entries"])

        for setting, says in (("knn.corpora=[nws]", "there is no corpus 'nws'; did you mean 'news'?"),
                              ("append.0.weight=0", "append.0.weight"),
                              ("append.0.name=main", "must not be 'main'")):
            self.assertIn(says, self.run_stage("decode knn", "--set", setting, ranks=1, code=2))


if __name__ == "__main__":
    unittest.main()
