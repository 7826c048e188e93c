"""Scores in other languages, and those of other programs, as the command gives them."""
import csv
import json
import unittest

import pipeline


class Evaluate(pipeline.PipelineTest):
    def evaluate(self, *settings, code=0):
        return self.run_stage("evaluate", *[word for one in settings for word in ("--set", one)], ranks=1, code=code)

    def scores(self):
        return json.loads((self.folder / "run/evaluate/scores.json").read_text(encoding="utf-8"))

    def test_scores_of_all_kinds(self):
        lines = ["我喜欢机器翻译。", "他昨天买了三本书。", "今天下雨。"]
        self.write_side("test.de", ["Das ist ein Haus.", "Er kauft Brot.", "Es regnet heute."])
        self.write_side("test.en", lines)
        self.run_stage("decode base", ranks=1)
        one = ("decode=[{name: base, source: %s/test.de, reference: %s/test.en, knn: false, block_sentences: 6}]"
               % (self.folder, self.folder))
        # Nothing set: text that 13a does not split is warned of.
        text = self.evaluate(one, "evaluate.language=")
        self.assertIn("ref.txt: BLEU's tokenisation 13a does not split this text into words: "
                      "set evaluate.language: zh", text)
        text = self.evaluate(one, "evaluate.language=zh", "evaluate.scores=[ter, bleu, chrf++]")
        self.assertNotIn("does not split", text)
        self.assertRegex(text, r"\| decoding \| sentences \| +BLEU \| +p \| +chrF\+\+ \| +p \| +TER \| +p \|")
        self.assertIn("|tok:zh|", self.scores()["bleu_signature"])
        self.assertIn("|nw:2|", self.scores()["chrf++_signature"])
        self.assertIn("|tok:tercom|", self.scores()["ter_signature"])
        text = self.evaluate(one, "evaluate.language=ja", code=2)
        self.assertIn("ja-mecab needs evaluate.tokenize_command", text)
        self.evaluate(one, "evaluate.language=ja", "evaluate.tokenize_command=sed 's/./& /g'")
        self.assertIn("|tok:ja-mecab-by-command|", self.scores()["bleu_signature"])
        by_command = self.scores()["scores"][0]["bleu"]
        self.evaluate(one, "evaluate.tokenize=char")
        self.assertEqual(self.scores()["scores"][0]["bleu"], by_command)

    def test_scores_of_another_program(self):
        self.assertNotIn("significantly worse", self.run_stage("run", ranks=2))
        self.assertIn('<section id="scores">', (self.folder / "run/report.html").read_text(encoding="utf-8"))
        self.run_stage("decode knn", "--force", "--set", "knn.lambda=0.99", "--set", "knn.temperature=1e9")
        self.assertRegex(self.evaluate(), r"warning: knn is significantly worse than base without kNN: BLEU \d+\.\d+ and "
                                          r"\d+\.\d+ \(p 0\.0\d+\)\. .* knnseq tune")
        self.run_stage("decode knn", "--force")
        comet = f"evaluate.external={{comet: '{self.folder}/{{}}.comet'}}"
        text = self.evaluate(comet)
        self.assertIn("knn.comet: no such file, so knn has no comet", text)
        self.assertNotIn("comet", self.scores()["scores"][0])
        self.write_side("base.comet", [str(0.5 + 0.01 * i) for i in range(30)])
        self.write_side("knn.comet", [str(0.6 + 0.01 * i) for i in range(30)])
        text = self.evaluate(comet)
        self.assertRegex(text, r"\| 0\.6450 \(0\.64\d\d ± 0\.0\d\d\d\) +\|")
        base, knn = (one["comet"] for one in self.scores()["scores"])
        self.assertAlmostEqual(base["score"], 0.645)
        self.assertAlmostEqual(knn["score"], 0.745)
        self.assertNotIn("p_value", base)
        self.assertLess(knn["p_value"], 0.01)  # better in every resample
        with (self.folder / "run/evaluate/scores.csv").open(encoding="utf-8", newline="") as file:
            [first, _] = csv.DictReader(file)
        self.assertAlmostEqual(float(first["comet"]), 0.645)
        self.write_side("knn.comet", ["0.5"] * 29)
        self.assertIn("knn.comet: has 29 lines, the test set of knn 30", self.evaluate(comet, code=2))
        self.write_side("knn.comet", ["0.5"] * 29 + ["high"])
        self.assertIn("knn.comet:30: 'high' is not a number", self.evaluate(comet, code=2))


if __name__ == "__main__":
    unittest.main()
