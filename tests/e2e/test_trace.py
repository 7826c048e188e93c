"""The trace of a translation, in every mode of kNN: it follows its schema, adds up, and says what decode did."""
import contextlib
import json
import math
import re
import unittest

import jsonschema

import pipeline

SUBSET = """
subset: {{sentences: 40, index: "IVF8,Flat", nprobe: 4, sample: 500, codes: "OPQ16_64,PQ16"}}
"""
ITEMS = """  - {{name: subset, source: {folder}/test.de, reference: {folder}/test.en, mode: subset}}
  - {{name: memory, source: {folder}/test.de, reference: {folder}/test.en, mode: memory}}
"""
SCHEMA = json.loads((pipeline.ROOT / "docs/trace.schema.json").read_text(encoding="utf-8"))


class Trace(pipeline.AppendingTest):
    def setUp(self):
        super().setUp()
        text = self.config.read_text(encoding="utf-8")
        self.appending = text.replace("evaluate:", ITEMS.format(folder=self.folder) + "evaluate:") + SUBSET.format()
        self.alone = "\n".join(line for line in self.appending.splitlines() if not line.startswith("append:")) + "\n"
        self.config.write_text(self.alone, encoding="utf-8")

    def sets(self, *options):
        return [word for option in options for word in ("--set", option)]

    @contextlib.contextmanager
    def knn(self, settings):
        """The config with other settings of kNN."""
        before = self.config.read_text(encoding="utf-8")
        self.config.write_text(re.sub(r"(?m)^knn: .*$", lambda _: "knn: " + settings, before), encoding="utf-8")
        yield
        self.config.write_text(before, encoding="utf-8")

    def inspect(self, *options, ranks=1, **how):
        """What inspect prints as JSON, checked."""
        printed = self.run_stage("inspect", "--json", *self.sets(*options), ranks=ranks, **how)
        shown = json.loads(printed[printed.index("{\n"):printed.rindex("}") + 1])
        self.check(shown["trace"])
        return shown

    def check(self, trace):
        """The schema, and what it cannot say."""
        jsonschema.validate(trace, SCHEMA)
        for side in ("source", "target"):
            self.assertEqual("".join(token["text"] for token in trace[side]["tokens"]), trace[side]["text"])
        for sentence in trace["sentences"]:
            self.assertEqual("".join(sentence["pieces"]), sentence["target"])
        for token in trace["target"]["tokens"]:
            if "p" not in token:
                continue
            for one in (token, *token["candidates"]):
                mixed = (1 - token["lambda"]) * one["p_mt"] + token["lambda"] * one["p_knn"]
                self.assertAlmostEqual(one["p"], mixed, delta=1e-4)
            ranked = [candidate["p"] for candidate in token["candidates"]]
            self.assertEqual(ranked, sorted(ranked, reverse=True))
            self.assertIn(token["token"], [candidate["token"] for candidate in token["candidates"]])
            self.assertLessEqual(sum(n["share"] for n in token["neighbours"]), 1.0001)
            for neighbour in token["neighbours"]:
                sentence = trace["sentences"][neighbour["sentence"]]
                self.assertEqual(sentence["datastore"], neighbour["datastore"])
                piece = sentence["pieces"][neighbour["position"]]
                self.assertEqual(piece.strip(), neighbour["text"].strip())

    def line_of(self, sentence):
        name = sentence["corpus"] or "corpus"
        lines = (self.folder / f"{name}.en").read_text(encoding="utf-8").splitlines()
        return lines[sentence["line"] - 1]

    def log_probs(self, decoding, line):
        lines = (self.run_dir / "decode" / decoding / "nbest.jsonl").read_text(encoding="utf-8").splitlines()
        return json.loads(lines[line - 1])["nbest"][0]["log_probs"]

    def check_against_decode(self, shown):
        """p is what the beam search had, but for rounding; and corpora and lines are right."""
        trace = shown["trace"]
        self.assertEqual([token["token"] for token in trace["target"]["tokens"]], shown["knn"]["tokens"])
        for token, log_prob in zip(trace["target"]["tokens"], self.log_probs(shown["knn"]["name"], shown["line"])):
            self.assertAlmostEqual(math.log(token["p"]), log_prob, delta=1e-3)
        for sentence in trace["sentences"]:
            self.assertEqual(sentence["target"], self.line_of(sentence))

    def without_seconds(self, shown):
        return {**shown, "trace": {**shown["trace"], "seconds": None}}

    def test_plain_appended_and_several_datastores(self):
        for stage in ("partition", "encode", "train", "add", "decode base knn"):
            self.run_stage(stage)
        shown = self.inspect(ranks=2)
        self.assertEqual(shown["trace"]["settings"],
                         {"mode": "plain", "k": 16, "nprobe": 4, "policy": "fixed", "temperature": 20, "lambda": 0.6,
                          "beam": 5, "length_penalty": 1.0})
        self.check_against_decode(shown)
        at, tokens = shown["position"], shown["trace"]["target"]["tokens"]
        self.assertEqual(shown["base"]["tokens"][:at], shown["knn"]["tokens"][:at])
        self.assertIn(shown["base"]["tokens"][at], [c["token"] for c in tokens[at]["candidates"]])
        self.assertEqual({len(token["neighbours"]) for token in tokens}, {8})
        same = self.inspect("inspect.line=%d" % shown["line"], "knn.copies=job", "device=cpu", ranks=3)
        self.assertEqual(self.without_seconds(shown), self.without_seconds(same))
        all_of_them = self.inspect("inspect.neighbours=16")
        for token in all_of_them["trace"]["target"]["tokens"]:
            self.assertAlmostEqual(sum(n["share"] for n in token["neighbours"]), 1, delta=1e-4)

        # As text: any token, and the settings that decode had, not the config's.
        last = len(tokens)
        self.assertIn(f"token {last}: kNN (end of sentence) (p_mt", self.run_stage(
            "inspect", *self.sets(f"inspect.token={last}"), ranks=1))
        self.assertIn(f"inspect.token 99: the translation has {last} tokens",
                      self.run_stage("inspect", *self.sets("inspect.token=99"), ranks=1, code=2))
        with self.knn("{policy: distance, tau: 150, temperature: 2, nprobe: 4}"):
            self.run_stage("decode knn", "--force")
        shown = self.inspect("inspect.line=%d" % shown["line"])
        self.assertEqual(shown["trace"]["settings"]["temperature"], 2)
        self.assertEqual(shown["trace"]["settings"]["policy"], "distance")
        self.assertNotIn("lambda", shown["trace"]["settings"])
        self.assertGreater(len({token["lambda"] for token in shown["trace"]["target"]["tokens"]}), 3)
        self.check_against_decode(shown)
        for option, made_with in (("knn.temperature=5", "temperature 2"), ("knn.k=4", "k 16"),
                                  ("decode.1.nprobe=3", "nprobe 4"), ("knn.policy=fixed", "policy distance")):
            self.assertRegex(self.run_stage("inspect", *self.sets(option), ranks=1, code=2),
                             f"--set {option}: .*decode/knn was made with {made_with}")

        # Two datastores, and a corpus that is appended to the first.
        self.config.write_text(self.appending, encoding="utf-8")
        self.run_stage("append")
        both = self.sets("append=[]", f"model=[{pipeline.MODEL}, {pipeline.MODEL}]",
                         f"decode.1.datastores=[{self.run_dir}, {self.run_dir}]")
        self.assertIn("was made with other inputs", self.run_stage("inspect", ranks=1, code=2))
        self.run_stage("decode knn", "--force")
        shown = self.inspect(ranks=2)
        self.check_against_decode(shown)
        self.assertEqual({s["corpus"] for s in shown["trace"]["sentences"]}, {"", "news"})
        self.run_stage("decode knn base", "--force", *both)
        shown = self.inspect(*both[1::2], ranks=2)
        self.check_against_decode(shown)
        neighbours = shown["trace"]["target"]["tokens"][0]["neighbours"]
        self.assertEqual([n["datastore"] for n in neighbours], [0] * 8 + [1] * 8)
        self.assertEqual([n["share"] for n in neighbours[:8]], [n["share"] for n in neighbours[8:]])
        self.assertAlmostEqual(shown["trace"]["target"]["tokens"][0]["lambda"], 0.6, delta=1e-4)

    def test_subsets_memory_and_trained_policies(self):
        for stage in ("partition", "encode", "train", "add", "subset", "decode base subset memory"):
            self.run_stage(stage)
        shown = self.inspect("inspect.knn=subset", ranks=3)
        self.assertEqual({key: shown["trace"]["settings"][key] for key in ("mode", "encoder", "sentences")},
                         {"mode": "subset", "encoder": "mean", "sentences": 40})
        self.check_against_decode(shown)
        same = self.inspect("inspect.knn=subset", "inspect.line=%d" % shown["line"])
        self.assertEqual(self.without_seconds(shown), self.without_seconds(same))
        shown = self.inspect("inspect.knn=memory", ranks=2)
        taken = shown["trace"]["sentences"][shown["trace"]["memory"]["sentence"]]
        self.assertEqual(taken["target"], shown["knn"]["text"])
        self.assertEqual(self.line_of(taken), taken["target"])
        self.assertIn("the nearest datastore sentence, distance", self.run_stage(
            "inspect", *self.sets("inspect.knn=memory"), ranks=1))

        self.run_stage("tune", *self.sets(
            f"tune.source={self.folder}/test.de", f"tune.reference={self.folder}/test.en", "tune.k=[4]",
            "tune.candidates=1", "tune.policies=[meta_k, robust]", "tune.skip=[0.3]"))
        made = self.run_dir / "tune"
        skip = json.loads((made / "gate/gate.json").read_text(encoding="utf-8"))[0]["skip"]
        for policy in ("meta_k", "robust"):
            gate = f", gate: {made}/gate/gate.safetensors, skip: {skip}" if policy == "robust" else ""
            settings = f"{{policy: {policy}, k: 4, nprobe: 4, network: {made}/policies/{policy}.safetensors{gate}}}"
            with self.knn(settings):
                self.run_stage("decode knn", "--force")
                shown = self.inspect()
                self.assertEqual(shown["trace"]["settings"]["policy"], policy)
                self.check_against_decode(shown)
                if gate:  # which takes those away that are worth least
                    searched = {token["searched"] for line in range(1, 6) for token in
                                self.inspect(f"inspect.line={line}")["trace"]["target"]["tokens"]}
                    self.assertEqual(searched, {True, False})
            self.assertIn("set knn.policy and knn.network", self.run_stage("inspect", ranks=1, code=2))


if __name__ == "__main__":
    unittest.main()
