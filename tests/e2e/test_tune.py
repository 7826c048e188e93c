"""Tuning finds the same settings for any number of ranks, resumes if stopped, and can be included."""
import csv
import json
import math
import re
import shutil
import signal
import struct
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pipeline

SVG = "{http://www.w3.org/2000/svg}"
FILES = ("tune/tuned.yaml", "tune/tune.csv", "tune/tune.json", "tune/tune.svg",
         "tune/likelihoods/likelihoods.json", "tune/policies/*.json", "tune/policies/*.safetensors",
         "tune/*/hyp.txt")


ONLY_FIXED = ("--set", "tune.policies=[fixed]")  # the others take their time


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
        base, *candidates = result["translated"]
        other, candidates = candidates[-1], candidates[:-1]
        self.assertEqual(base["name"], "base")
        tried = [setting for setting in candidates if setting["policy"] == "fixed"]
        self.assertEqual([setting["policy"] for setting in candidates],
                         ["fixed", "fixed", "distance", "meta_k", "robust"])
        fitted = result["policies"]
        self.assertEqual(fitted["tokens"], grid["tokens"])
        self.assertTrue(0 < fitted["held_out_tokens"] < fitted["tokens"] / 2)
        for policy in fitted["policies"]:
            self.assertGreater(policy["log_likelihood"], fitted["base_log_likelihood"])
        for network in ("meta_k", "robust"):
            size = (self.folder / f"run/tune/policies/{network}.safetensors").stat().st_size
            self.assertLess(size, 50_000)
        # The likeliest of each k; in the grid nprobe comes first, then k, temperature, lambda.
        values = grid["log_likelihoods"]
        of_k = {k: [v for i, v in enumerate(values) if grid["k"][i // 16 % 2] == k] for k in (2, 8)}
        self.assertEqual({setting["k"]: setting["log_likelihood"] for setting in tried},
                         {k: max(likelihoods) for k, likelihoods in of_k.items()})
        chosen = result["chosen"]
        self.assertEqual(chosen["bleu"], max(setting["bleu"] for setting in candidates))
        self.assertIn(f"BLEU {chosen['bleu']:.2f}", printed)
        # The chosen one at the grid's other nprobe; the smaller is recommended if it is as good.
        self.assertTrue(other["other_width"])
        self.assertEqual({chosen["nprobe"], other["nprobe"]}, {1, 4})
        narrow, wide = sorted((chosen, other), key=lambda candidate: candidate["nprobe"])
        near = narrow["bleu"] >= max(narrow["bleu"], wide["bleu"]) - 0.1
        self.assertEqual(result["recommended"]["nprobe"], 1 if near else 4)
        self.assertIn(f"Recommended: nprobe {result['recommended']['nprobe']}", printed)

        text = (self.folder / "run/tune/tune.csv").read_text(encoding="utf-8")
        rows = list(csv.DictReader(text.splitlines()))
        self.assertEqual(len(rows), 1 + 64)
        self.assertGreaterEqual(sum(row["bleu"] != "" for row in rows), 3)
        for row in rows:
            self.assertAlmostEqual(float(row["perplexity"]),
                                   math.exp(-float(row["log_likelihood"])), delta=6e-4)
        picture = ElementTree.parse(self.folder / "run/tune/tune.svg").getroot()
        self.assertEqual(len(picture.findall(f".//{SVG}title")), 64)

    def test_a_stopped_one_goes_on_and_its_settings_can_be_included(self):
        blocks = self.folder / "run/tune"
        text = self.config.read_text(encoding="utf-8")
        self.config.write_text(text + "  policies: [fixed, meta_k]\n", encoding="utf-8")
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
        self.assertIn("'knn.nprobe' is also in the included", self.run_stage("decode", code=2))
        self.config.write_text(include.replace("include", "tuned") + text, encoding="utf-8")
        printed = self.run_stage("decode knn")
        self.assertRegex(printed, r"knn.temperature: \S+ \(\S*tuned.yaml:\d+\) takes the place of 20 \(")
        manifest = json.loads((self.folder / "run/decode/knn/manifest.json").read_text())
        chosen = self.result()["recommended"]
        for key in ("k", "nprobe"):
            self.assertEqual(manifest["inputs"][key], chosen[key])
        self.assertEqual(manifest["inputs"].get("policy", "fixed"), chosen["policy"])
        for key in ("temperature", "lambda", "tau"):
            if key in chosen:
                self.assertAlmostEqual(manifest["inputs"][key], chosen[key], places=4)

    def test_each_policy_decodes_and_is_fingerprinted(self):
        general = ("--set", f"tune.general.source={self.folder}/test.de",
                   "--set", f"tune.general.reference={self.folder}/test.en")
        printed = self.run_stage("tune", *general, "--set", "tune.skip=[0.1,0.5]",
                                 "--set", "tune.candidates=1", "--set", "tune.by=chrf",
                                 "--set", "tune.length_penalty=[0.5,1.0,2.0]", ranks=2)
        self.assertRegex(printed, r"\| +general BLEU")
        self.assertIn("Chosen by mean chrF", printed)
        self.assertRegex(printed, r"searches skipped: \d+\.\d % of")
        result = self.result()
        self.assertEqual(result["policies"]["tokens"], 2 * result["grid"]["tokens"])
        settings = [c for c in result["translated"] if "share" not in c and "other_width" not in c]
        self.assertEqual([c["length_penalty"] for c in settings if "length_penalty" in c], [0.5, 2.0])
        self.assertEqual(result["chosen"]["chrf"], max(c["chrf"] for c in settings[1:]))
        yaml = (self.folder / "run/tune/tuned.yaml").read_text(encoding="utf-8")
        self.assertEqual("length_penalty:" in yaml, "length_penalty" in result["recommended"])
        for candidate in result["translated"]:  # both texts are the same one
            self.assertEqual(candidate["bleu"], candidate["general"]["bleu"])
        tuned = self.folder / "run/tune"
        keep = shutil.copytree(tuned, self.folder / "kept")
        knn = ["k: 8", "nprobe: 4"]
        self.run_stage("decode base")
        for policy, keys in (("distance", ["tau: 40", "temperature: 20"]),
                             ("meta_k", [f"network: {keep}/policies/meta_k.safetensors"]),
                             ("robust", [f"network: {keep}/policies/robust.safetensors",
                                         f"gate: {keep}/gate/gate.safetensors", "skip: 0.3"])):
            with self.subTest(policy):
                text = self.config.read_text(encoding="utf-8")
                text = re.sub("knn: {.*}\n", "knn: {%s}\n" % ", ".join([f"policy: {policy}", *knn, *keys]), text)
                self.config.write_text(text, encoding="utf-8")
                one = self.run_stage("decode knn", "--force", ranks=1)
                files = self.digest("decode/knn/nbest.jsonl")
                shutil.rmtree(self.folder / "run/decode/knn")
                self.run_stage("decode knn", ranks=3)
                self.assertEqual(self.digest("decode/knn/nbest.jsonl"), files)
                if policy == "robust":  # ranks that step together skip searches too
                    shutil.rmtree(self.folder / "run/decode/knn")
                    self.run_stage("decode knn", "--set", "knn.copies=job", ranks=2)
                    self.assertEqual(self.digest("decode/knn/nbest.jsonl"), files)
                self.assertEqual("searches skipped" in one, policy == "robust")
                self.assertIn(f"kNN: policy {policy}, k 8", self.run_stage("evaluate"))
        network = keep / "policies/robust.safetensors"
        network.write_bytes(network.read_bytes()[:-4] + struct.pack("<f", 0.5))
        self.assertIn("network", self.run_stage("decode knn", code=2))
        network.write_bytes(network.read_bytes()[:-4] + struct.pack("<f", math.nan))
        self.assertIn("robust.safetensors", self.run_stage("decode knn", "--force", code=2))
        shutil.copy(tuned / "policies/robust.safetensors", network)
        for key, message in (("k=4", "was trained for k 8, but knn.k is 4"),
                             ("lambda=0.3", "knn.lambda: has no effect: policy is robust"),
                             ("tau=3", "knn.tau: has no effect: policy is robust"),
                             ("skip=0", "is required: gate"),
                             ("policy=distance", "knn.network: has no effect: policy is distance"),
                             ("policy=other", "knn.policy: 'other' must be one of")):
            with self.subTest(key):
                self.assertIn(message, self.run_stage("decode knn", "--set", f"knn.{key}", code=2))

    def test_changed_inputs_and_bad_ones_are_refused(self):
        self.run_stage("tune", *ONLY_FIXED)
        changed = (*ONLY_FIXED, "--set", "tune.lambda=[0.2]")
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
                                 ("tune.policies=[none]", "none is none; there are fixed, distance"),
                                 ("tune.general.source=x", "tune.general.reference: is required"),
                                 ("tune.k=[9000]", "is more than the datastore's"),
                                 ("tune.nprobe=[64]", "nprobe")):
            with self.subTest(setting):
                self.assertIn(message, self.run_stage("tune", "--set", setting, code=2))


if __name__ == "__main__":
    unittest.main()
