"""Tuning finds the same settings for any number of ranks, resumes if stopped, and can be included."""
import csv
import json
import math
import shutil
import signal
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pipeline

SVG = "{http://www.w3.org/2000/svg}"
FILES = ("tune/tuned.yaml", "tune/tune.csv", "tune/tune.json", "tune/tune.svg",
         "tune/likelihoods/likelihoods.json", "tune/*/hyp.txt")


class Tune(pipeline.PipelineTest):
    datastore = None

    def setUp(self):
        super().setUp()
        text = self.config.read_text(encoding="utf-8") + f"""
tune:
  source: {self.folder}/test.de
  reference: {self.folder}/test.en
  k: [2, 8]
  lambda: [0.3, 0.6]
  nprobe: [1, 4]
  candidates: 2
"""
        self.config.write_text(text, encoding="utf-8")
        if Tune.datastore is None:  # made once for all tests
            for stage in ("partition", "encode", "train", "add"):
                self.run_stage(stage)
            Tune.datastore = Path(tempfile.mkdtemp(prefix="knnseq-e2e-")) / "run"
            self.addClassCleanup(shutil.rmtree, Tune.datastore.parent, ignore_errors=True)
            shutil.copytree(self.folder / "run", Tune.datastore)
        else:
            shutil.copytree(Tune.datastore, self.folder / "run")

    def result(self):
        return json.loads((self.folder / "run/tune/tune.json").read_text(encoding="utf-8"))

    def test_the_same_for_any_number_of_ranks(self):
        printed = self.run_stage("tune", ranks=1)
        one = self.digest(*FILES)
        shutil.rmtree(self.folder / "run/tune")
        self.run_stage("tune", ranks=3)
        self.assertEqual(self.digest(*FILES), one)

        result = self.result()
        grid = result["grid"]
        self.assertEqual(len(grid["temperature"]), 8)  # chosen by the neighbours
        self.assertEqual(len(grid["log_likelihoods"]), 2 * 2 * 8 * 2)
        self.assertGreater(max(grid["log_likelihoods"]), grid["base_log_likelihood"])
        base, *tried = result["translated"]
        self.assertEqual(base["name"], "base")
        # The likeliest of each k; in the grid nprobe comes first, then k, temperature, lambda.
        values = grid["log_likelihoods"]
        of_k = {k: [v for i, v in enumerate(values) if grid["k"][i // 16 % 2] == k] for k in (2, 8)}
        self.assertEqual({setting["k"]: setting["log_likelihood"] for setting in tried},
                         {k: max(likelihoods) for k, likelihoods in of_k.items()})
        chosen = result["chosen"]
        self.assertEqual(chosen["bleu"], max(setting["bleu"] for setting in tried))
        self.assertIn(f"BLEU {chosen['bleu']:.2f}", printed)

        text = (self.folder / "run/tune/tune.csv").read_text(encoding="utf-8")
        rows = list(csv.DictReader(text.splitlines()))
        self.assertEqual(len(rows), 1 + 64)
        self.assertEqual(sum(row["bleu"] != "" for row in rows), 3)
        for row in rows:
            self.assertAlmostEqual(float(row["perplexity"]),
                                   math.exp(-float(row["log_likelihood"])), delta=6e-4)
        picture = ElementTree.parse(self.folder / "run/tune/tune.svg").getroot()
        self.assertEqual(len(picture.findall(f".//{SVG}title")), 64)

    def test_a_stopped_one_goes_on_and_its_settings_can_be_included(self):
        blocks = self.folder / "run/tune"
        code = self.start_and_signal("tune", number=signal.SIGUSR1,
                                     when=lambda: any(blocks.glob("*/blocks.journal.*")))
        self.assertEqual(code, 75)
        self.run_stage("tune", ranks=3)
        stopped = self.digest(*FILES)
        shutil.rmtree(self.folder / "run/tune")
        self.run_stage("tune")
        self.assertEqual(self.digest(*FILES), stopped)
        self.assertIn("already done", self.run_stage("tune"))

        text = self.config.read_text(encoding="utf-8")
        include = f"include: {self.folder}/run/tune/tuned.yaml\n"
        self.config.write_text(include + text, encoding="utf-8")
        self.assertIn("'knn.lambda' is also in the included", self.run_stage("decode", code=2))
        text = text.replace("knn: {temperature: 20, lambda: 0.6, nprobe: 4}\n", "")
        self.config.write_text(include + text, encoding="utf-8")
        self.run_stage("decode knn")
        manifest = json.loads((self.folder / "run/decode/knn/manifest.json").read_text())
        chosen = self.result()["chosen"]
        for key in ("k", "nprobe"):
            self.assertEqual(manifest["inputs"][key], chosen[key])
        for key in ("temperature", "lambda"):
            self.assertAlmostEqual(manifest["inputs"][key], chosen[key], places=4)

    def test_changed_inputs_and_bad_ones_are_refused(self):
        self.run_stage("tune")
        changed = ("--set", "tune.lambda=[0.2]")
        self.assertIn("lambda", self.run_stage("tune", *changed, code=2))
        reference = self.folder / "test.en"
        lines = reference.read_text(encoding="utf-8").splitlines(keepends=True)
        reference.write_text("".join(["\n", *lines[1:]]), encoding="utf-8")
        self.assertIn("warning: " + str(self.folder / "test.de") + ": 1 pairs are left out: empty target",
                      self.run_stage("tune", *changed, "--force"))
        self.assertEqual(self.result()["grid"]["lambda"], [0.2])
        for setting, message in (("tune.reference=''", "tune.reference: is required"),
                                 ("tune.k=[0]", "tune.k: must be a list of whole numbers"),
                                 ("tune.lambda=[1.0]", "tune.lambda: must be a list of numbers"),
                                 ("tune.lambda=[]", "tune.lambda: must not be empty"),
                                 ("tune.k=[9000]", "is more than the datastore's"),
                                 ("tune.nprobe=[64]", "nprobe")):
            with self.subTest(setting):
                self.assertIn(message, self.run_stage("tune", "--set", setting, code=2))


if __name__ == "__main__":
    unittest.main()
