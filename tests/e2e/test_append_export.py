"""More text under the same codebook, and everything as one faiss file, for any ranks and shards."""
import json
import unittest

import numpy as np

import pipeline

APPEND = "append:\n  - {{name: news, source: {folder}/news.de, target: {folder}/news.en}}\n"
TRANSLATIONS = ("decode/*/nbest.jsonl", "decode/*/hyp.txt")


class AppendExport(pipeline.PipelineTest):
    """The test set's 30 sentences stand in the appended corpus, and none of them in the first."""

    def setUp(self):
        super().setUp()
        pairs = [line.split("\t") for line in
                 (pipeline.MODEL / "test.tsv").read_text(encoding="utf-8").splitlines()]
        for name, part in (("news", pairs[1000:1300]), ("test", pairs[1100:1130])):
            self.write_side(f"{name}.de", [pair[0] for pair in part])
            self.write_side(f"{name}.en", [pair[1] for pair in part])
        self.alone = self.config.read_text(encoding="utf-8")
        self.write_config(APPEND.format(folder=self.folder))

    def write_config(self, append):
        self.config.write_text(self.alone + append, encoding="utf-8")

    def right(self, run="run"):
        """How many sentences are translated just as the reference."""
        lines = [(self.folder / name).read_text(encoding="utf-8").splitlines()
                 for name in (f"{run}/decode/knn/hyp.txt", "test.en")]
        return sum(a == b for a, b in zip(*lines))

    def content(self, folder, run="run"):
        return json.loads((self.folder / run / folder / "manifest.json").read_text())["content"]

    def check_values(self, run):
        """values.npy holds the corpora's target sentences one after another."""
        values = np.load(self.folder / run / "export/values.npy")
        entries = self.content("corpus", run)["entries"] + self.content("append/news/corpus", run)["entries"]
        self.assertEqual((values.shape, values.dtype), ((entries,), np.uint32))
        eos = json.loads((pipeline.MODEL / "config.json").read_text())["eos_token_id"]
        sentences = [tuple(part[:-1]) for part in np.split(values, np.flatnonzero(values == eos) + 1)[:-1]]
        lines = [line for name in ("corpus.en", "news.en")
                 for line in (self.folder / name).read_text(encoding="utf-8").splitlines()]
        self.assertEqual(len(sentences), len(lines))
        self.assertEqual(len(set(zip(sentences, lines))), len(set(sentences)))  # one for one

    def test_appended_text_is_found_with_any_ranks_and_shards(self):
        self.write_config("")
        self.run_stage("run", ranks=1)
        before = self.right()
        self.write_config(APPEND.format(folder=self.folder))
        self.assertIn("run 'knnseq append news' first", self.run_stage("decode knn", code=2))
        printed = self.run_stage("append", ranks=1)
        self.assertRegex(printed, r"append news: [\d,]+ entries; quantisation error [\d.]+, the training "
                                  r"sample's is [\d.]+: 1\.\d\d times as large")
        self.assertIn("indexes: were 1, are 2", self.run_stage("decode knn", code=2))
        self.run_stage("decode knn", "--force", ranks=1)
        self.assertGreaterEqual(self.right(), before + 10)
        self.assertRegex(self.run_stage("inspect", "--set", "inspect.line=7"), r"\(line \d+ of append\.news\)")
        self.run_stage("export", ranks=1)
        self.check_values("run")
        self.assertIn("already done", self.run_stage("export"))

        exports, translations, errors, datastores = [set() for _ in range(4)]
        for ranks, shards in ((1, 1), (2, 3), (4, 3)):
            run = "run" if shards == 1 else f"p{ranks}"
            if shards > 1:
                options = ("--set", f"run_dir={self.folder / run}", "--set", f"shards={shards}")
                for stage in ("run", "export"):
                    self.run_stage(stage, *options, ranks=ranks)
                datastores.add(self.digest("append/*/*/*", run=run))
            exports.add(self.digest("export/*.*[!n]", run=run))  # not the manifest: it names the shards
            translations.add(self.digest(*TRANSLATIONS, run=run))
            errors.add(json.dumps(self.content("append/news/measure", run)))
        for found in (exports, translations, errors, datastores):
            self.assertEqual(len(found), 1)

    def test_what_does_not_fit_is_refused_until_forced(self):
        self.assertIn("run 'knnseq partition' first", self.run_stage("append", code=2))
        self.assertIn("run 'knnseq partition' first", self.run_stage("export", code=2))
        self.assertIn("no 'append' item named 'x'", self.run_stage("append x", code=2))
        again = f"  - {{name: news, source: {self.folder}/news.de, target: {self.folder}/news.en}}\n"
        self.write_config(APPEND.format(folder=self.folder) + again)
        self.assertIn("is used twice", self.run_stage("append", code=2))
        self.write_config(APPEND.format(folder=self.folder) + again.replace("news", "late"))
        for stage in ("partition", "encode", "train", "add"):
            self.run_stage(stage)
        self.assertIn("late.de: no such file", self.run_stage("append", code=2))
        self.assertIn("append late' first", self.run_stage("decode knn", code=2))
        self.write_side("late.de", ["", ""])
        self.write_side("late.en", ["", ""])
        self.assertIn("no usable sentence pair", self.run_stage("append late", code=2))
        self.write_config(APPEND.format(folder=self.folder))
        self.assertIn("the config says 2", self.run_stage("append", "--set", "shards=2", code=2))
        self.assertIn("append.0.max_token",
                      self.run_stage("append", "--set", "append.0.max_token=3", code=2))

        for stage in ("train", "add"):
            self.run_stage(stage, "--force", "--set", "index.seed=2")
        self.assertIn("run 'knnseq append news --force'", self.run_stage("decode knn", code=2))
        self.assertIn("run 'knnseq append news --force'", self.run_stage("export", code=2))
        self.assertIn("codebook: has changed", self.run_stage("append", code=2))
        self.assertEqual(self.run_stage("append", "--force").count("already done"), 2)
        self.run_stage("decode knn")


if __name__ == "__main__":
    unittest.main()
