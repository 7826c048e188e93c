"""`knnseq plan` says what a run will take, from text, from a number of entries, and from measured rates."""
import unittest

import pipeline

UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
FOLDERS = {"partition": "corpus", "encode": "datastore", "add": "index"}


def table_of(printed):
    """{stage: cells} of the table."""
    rows = [[cell.strip() for cell in line.strip("| \n").split("|")] for line in printed.splitlines()
            if line.startswith("| ")]
    return {row[0]: dict(zip(rows[0][1:], row[1:])) for row in rows[1:]}


def number_of(text):
    value, unit = text.split()
    return float(value) * UNITS[unit]


class Plan(pipeline.PipelineTest):
    def test_of_text_entries_and_rates(self):
        def plan(*options, **keywords):
            printed = self.run_stage("plan", *options, **keywords)
            return printed, table_of(printed)

        run = self.folder / "run"
        printed, before = plan(ranks=1)
        self.assertIn("no times", printed)
        self.assertIn("proposed:", printed)
        self.assertFalse(run.exists())  # nothing is written
        self.assertIn("missing.json", self.run_stage("plan", "--rates", "missing.json", ranks=1, code=2))

        rates = self.folder / "rates.json"
        printed, measured = plan("--measure", str(rates), "--set", "plan.lines=300")
        self.assertTrue(rates.is_file())
        self.assertEqual([path.name for path in self.folder.glob("rates*")], ["rates.json"])
        self.assertFalse(run.exists())
        self.assertRegex(measured["encode"]["time"], r"\d")
        self.assertRegex(measured["decode knn"]["time"], r"\d tokens/s")

        self.run_stage("run")
        _, after = plan("--rates", str(run))
        for stage, folder in FOLDERS.items():
            files = sum(path.stat().st_size for path in (run / folder).glob("shard-*")
                        if path.suffix != ".json")
            with self.subTest(stage=stage):
                self.assertAlmostEqual(number_of(after[stage]["written"]) / files, 1, delta=0.02)
                self.assertAlmostEqual(number_of(before[stage]["written"]) / files, 1, delta=0.05)
                self.assertAlmostEqual(number_of(measured[stage]["written"]) / files, 1, delta=0.05)
        # Ten billion entries on twice the ranks of what was measured, none of whose text is there.
        for side in ("de", "en"):
            (self.folder / f"corpus.{side}").unlink()
        many = ("--entries", "10000000000", "--ranks", "64", "--nodes", "8", "--node-memory", "500",
                "--rates", str(rates))
        printed, planned = plan(*many, ranks=1)
        self.assertIn("10,000,000,000 entries of width 256; 64 ranks on 8 nodes", printed)
        self.assertGreater(number_of(planned["encode"]["written"]), 1e10 * 256 * 2)
        self.assertIn("IVF524288", printed)
        self.assertIn("knn.copies: nodes, 2 at least", printed)
        again, _ = plan(*many, ranks=1)
        self.assertEqual(printed, again)

    def test_refusals(self):
        rates = self.folder / "rates.json"
        rates.write_text('{"format": "other", "version": 1}', encoding="utf-8")
        self.assertIn("is not a file of 'knnseq plan --measure'",
                      self.run_stage("plan", "--rates", str(rates), ranks=1, code=2))
        rates.write_text('{"format": "knnseq rates", "version": 1}', encoding="utf-8")
        self.assertIn("cannot be read as rates", self.run_stage("plan", "--rates", str(rates), ranks=1, code=2))
        empty = self.folder / "empty"
        empty.mkdir()
        self.assertIn("config.yaml", self.run_stage("plan", "--rates", str(empty), ranks=1, code=2))
        (self.folder / "corpus.de").unlink()
        printed = self.run_stage("plan", "--set", "model=missing", ranks=1, code=2)
        self.assertIn("corpus.de", printed)  # all problems at once
        self.assertIn("missing", printed)


if __name__ == "__main__":
    unittest.main()
