"""A sweep measures the same recall for any number of ranks, resumes if stopped, and reports it all."""
import csv
import json
import shutil
import signal
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pipeline

SVG = "{http://www.w3.org/2000/svg}"


class Sweep(pipeline.PipelineTest):
    datastore = None

    def setUp(self):
        super().setUp()
        grid = f"""
sweep:
  source: {self.folder}/test.de
  target: {self.folder}/test.en
  queries: 200
  indexes: ["OPQ16_64,IVF32,PQ16", "IVF16,PQ32"]
  nprobe: [1, 4, 16, 32]
  shares: [1, 4]
  k: [1, 16]
"""
        self.config.write_text(self.config.read_text(encoding="utf-8") + grid, encoding="utf-8")

    def prepare(self):
        """The datastore, made once for all tests."""
        if Sweep.datastore is None:
            for stage in ("partition", "encode"):
                self.run_stage(stage)
            Sweep.datastore = Path(tempfile.mkdtemp(prefix="knnseq-e2e-")) / "run"
            self.addClassCleanup(shutil.rmtree, Sweep.datastore.parent, ignore_errors=True)
            shutil.copytree(self.folder / "run", Sweep.datastore)
        else:
            shutil.copytree(Sweep.datastore, self.folder / "run")

    def result(self, run="run"):
        return json.loads((self.folder / run / "sweep" / "sweep.json").read_text(encoding="utf-8"))

    @staticmethod
    def measured(result):
        """Everything but times and memory, which ranks have each for themselves."""
        return [(row["index"], row["share"], row["entries"], row["note"],
                 [(point["setting"], point["recalls"]) for point in row["points"]])
                for row in result["rows"]]

    def test_recall_does_not_depend_on_ranks_and_shards(self):
        self.prepare()
        text = self.run_stage("sweep", ranks=1)
        one = self.result()
        self.run_stage("sweep", "--force", ranks=3)  # more ranks than shards
        self.assertEqual(self.measured(self.result()), self.measured(one))
        two = ("--set", f"run_dir={self.folder}/two", "--set", "shards=2")
        for stage in ("partition", "encode", "sweep"):
            self.run_stage(stage, *two, ranks=2)
        self.assertEqual(self.measured(self.result("two")), self.measured(one))

        self.assertEqual([(row["index"], row["share"]) for row in one["rows"]],
                         [(index, share) for share in (1, 4)
                          for index in ("OPQ16_64,IVF32,PQ16", "IVF16,PQ32")])
        whole, part = one["rows"][0]["entries"], one["rows"][2]["entries"]
        self.assertTrue(0.2 < part / whole < 0.3, (part, whole))
        for row in one["rows"]:
            settings = [point["setting"] for point in row["points"]]
            lists = 32 if "IVF32" in row["index"] else 16
            self.assertEqual(settings, [f"nprobe {n}" for n in (1, 4, 16, 32) if n <= lists])
            self.assertEqual(row["note"], "" if lists == 32 else "nprobe 32 left out: it has 16 lists")
            recalls = [point["recalls"][1] for point in row["points"]]
            self.assertLess(recalls[0], recalls[-1])  # looking everywhere finds more
            self.assertGreater(recalls[-1], 0.6)
        self.check_report(one, text)

    def check_report(self, result, text):
        folder = self.folder / "run" / "sweep"
        points = [(row, point) for row in result["rows"] for point in row["points"]]
        lines = list(csv.DictReader((folder / "sweep.csv").read_text(encoding="utf-8").splitlines()))
        self.assertEqual(len(lines), len(points))
        for line, (row, point) in zip(lines, points):
            self.assertEqual((line["index"], line["setting"]), (row["index"], point["setting"]))
            self.assertAlmostEqual(float(line["recall@16"]), point["recalls"][1], places=6)
        picture = ElementTree.parse(folder / "sweep.svg").getroot()
        self.assertEqual(picture.tag, SVG + "svg")
        self.assertEqual(len(list(picture.iter(SVG + "polyline"))), 4)
        self.assertEqual(len(list(picture.iter(SVG + "circle"))), len(points))
        self.assertIn("| OPQ16_64,IVF32,PQ16 | 1/4   | nprobe 4  |", text)
        self.assertEqual(text.count("recall@16 of 0.9"), 2)  # the line that closes each share

    def test_stopped_and_resumed(self):
        self.prepare()
        journal = self.folder / "run" / "sweep" / "sweep.journal.0"
        code = self.start_and_signal("sweep", number=signal.SIGUSR1,
                                     when=lambda: journal.exists() and journal.stat().st_size > 0)
        self.assertEqual(code, 75)
        kept = [json.loads(line.split(" ", 1)[1])
                for line in journal.read_text(encoding="utf-8").splitlines()]
        self.assertTrue(0 < len(kept) < 4)
        self.run_stage("sweep", ranks=1)
        rows = self.result()["rows"]
        self.assertEqual(rows[:len(kept)], kept)  # with the times of the first run
        self.assertEqual([row["ranks"] for row in rows], [2] * len(kept) + [1] * (4 - len(kept)))
        self.assertFalse(journal.exists())
        again = self.run_stage("sweep")
        self.assertIn("already done", again)
        self.assertIn("nprobe 16", again)  # and shown

    def test_recall_is_whole_where_everything_is_compared(self):
        self.prepare()
        for metric in ("l2", "cos"):
            text = self.run_stage("sweep", "--force", "--set", f"index.metric={metric}", "--set",
                                  "sweep.indexes=[Flat, \"IVF16,Flat\", HNSW16]", "--set",
                                  "sweep.nprobe=[1, 16]", "--set", "sweep.ef_search=[16, 200]", "--set",
                                  "knn.temperature=20")
            for row in self.result()["rows"]:
                recalls = [point["recalls"] for point in row["points"]]
                if row["index"] == "HNSW16":
                    self.assertGreater(recalls[-1][1], 0.95)
                else:
                    self.assertEqual(recalls[-1], [1, 1], row)
                self.assertGreater(row["bytes_per_entry"], 4 * 256, row)
            self.assertIn("the fastest with recall@16 of 0.9 or more", text)

    def test_what_cannot_be_measured_is_said(self):
        self.prepare()
        text = self.run_stage("sweep", "--set", "sweep.indexes=[\"IVF16,PQ32\", \"IVF2000,PQ32\"]",
                              "--set", "sweep.shares=[4, 2000]")
        rows = {(row["index"], row["share"]): row for row in self.result()["rows"]}
        self.assertEqual(len(rows), 4)
        self.assertEqual(len(rows["IVF16,PQ32", 4]["points"]), 3)
        self.assertIn("training vectors are too few", rows["IVF2000,PQ32", 4]["note"])
        self.assertIn("fewer than k 16", rows["IVF16,PQ32", 2000]["note"])
        self.assertIn("1/2000 of the entries: nothing was measured", text)

    def test_bad_input(self):
        def refused(*options, says):
            self.assertIn(says, self.run_stage("sweep", *options, code=2))
        self.prepare()
        refused("--set", "sweep.k=[100000]", says="sweep.k: must be a list of whole numbers")
        refused("--set", "sweep.k=[9999]", says="sweep.k 9999 is more than the datastore's")
        refused("--set", "sweep.indexes=[\"IVF16,PQ32\", \"LSH\"]", says="sweep.indexes: index factory string 'LSH'")
        refused("--set", "sweep.source=", "--set", "sweep.target=", says="are required")
        refused("--set", "sweep.source=", says="sweep.source: is required")
        refused("--set", f"sweep.source={self.folder}/none.de", says="none.de")
        refused("--set", f"sweep.source={self.folder}/corpus.de", says="different numbers of lines")
        self.write_side("empty", ["", " "])
        refused("--set", f"sweep.source={self.folder}/empty", "--set",
                f"sweep.target={self.folder}/empty", says="empty: holds no usable sentence")
        refused("--set", "datastore.key=ffn_out", says="were made with key")


if __name__ == "__main__":
    unittest.main()
