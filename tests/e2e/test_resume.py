"""Interrupted work resumes where it was, with the same bytes in the end."""
import json
import signal
import unittest

import pipeline

EVERYTHING = ("corpus/*", "datastore/*", "codebook/*", "index/*", "decode/*/*")


class Resume(pipeline.PipelineTest):
    def events(self, name):
        log = (self.folder / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()
        return [event for event in map(json.loads, log) if event["event"] == name]

    def repeat_corpus(self):
        """The corpus again and again, so that there are several units."""
        for name in ("corpus.de", "corpus.en"):
            text = (self.folder / name).read_text(encoding="utf-8")
            (self.folder / name).write_text(text * 14, encoding="utf-8")

    def test_killed_in_each_stage_and_resumed_with_other_ranks(self):
        self.repeat_corpus()
        whole = self.folder / "whole"
        self.run_stage("run", "--set", f"run_dir={whole}")

        run = self.folder / "run"
        def some(pattern):
            return lambda: any(p.stat().st_size > 0 for p in run.glob(pattern))
        moments = (
            ("partition", some("corpus/*.h5")),
            ("encode", some("datastore/*.journal.*")),
            ("train", some("codebook/checkpoint")),
            ("add", some("index/*.journal.*")),
            ("decode base", some("decode/base/*.journal.*")),
            ("decode knn", some("decode/knn/*.journal.*")))
        ranks = 3
        for stage, moment in moments:
            ranks = ranks % 3 + 1
            # Rows stored separately are those of the sample that a datastore was begun with.
            other = ("--set", "datastore.seed=3") if stage == "encode" else ()
            with self.subTest(stage=stage, ranks=ranks):
                self.start_and_signal(stage, ranks=ranks, when=moment)
                text = self.run_stage(stage, *other, ranks=ranks % 3 + 1)
                self.assertEqual("was begun with (6000 entries, seed 1)" in text, bool(other))
        # What a kill leaves right after a stage's manifest, or in the middle of a checkpoint.
        for name in ("state.json", "checkpoint.tmp"):
            (run / "codebook" / name).write_bytes(b"{}")
        self.run_stage("run")
        self.assertEqual(self.digests(*EVERYTHING), self.digests(*EVERYTHING, run="whole"))
        self.assertEqual(self.leftovers(), [])
        resumed = {event["stage"] for event in self.events("stage_begin") if event["resumed"]}
        self.assertGreaterEqual(resumed, {"encode", "train", "decode-base", "decode-knn"})

    def test_stop_signal_commits_and_exits_with_75(self):
        self.repeat_corpus()
        test = (self.folder / "corpus.de").read_text(encoding="utf-8").splitlines()[:400]
        self.write_side("test.de", test)
        self.write_side("test.en", test)
        run = self.folder / "run"
        self.run_stage("partition")
        for stage, pattern, ranks in (("encode", "datastore/*.journal.*", 1),
                                      ("decode knn", "decode/knn/*.journal.*", 2)):
            if stage.startswith("decode"):
                for before in ("train", "add"):
                    self.run_stage(before)
            committed = lambda p=pattern: any(path.stat().st_size > 0 for path in run.glob(p))
            code = self.start_and_signal(stage, ranks=ranks, number=signal.SIGUSR1, when=committed)
            self.assertEqual(code, 75)
            self.assertTrue(committed())
            self.run_stage(stage)
        self.assertEqual({event["stage"] for event in self.events("stage_begin") if event["resumed"]},
                         {"encode", "decode-knn"})

    def test_what_is_done_is_skipped(self):
        self.run_stage("run")
        before = self.digest(*EVERYTHING)
        again = self.run_stage("run", ranks=3)
        self.assertEqual(again.count("already done"), 6)
        self.assertEqual(self.digest(*EVERYTHING), before)

    def test_changed_inputs_are_named_and_refused_until_forced(self):
        self.run_stage("run")
        before = self.digest("datastore/*")
        text = self.run_stage("run", "--set", "datastore.key=ffn_out", code=2)
        self.assertIn('key: was "ffn_in", is "ffn_out"', text)
        self.assertEqual(self.digest("datastore/*"), before)
        with (self.folder / "corpus.de").open("a", encoding="utf-8") as more:
            more.write("Noch ein Satz.\n")
        with (self.folder / "corpus.en").open("a", encoding="utf-8") as more:
            more.write("One more sentence.\n")
        self.assertIn("source: corpus.de has changed", self.run_stage("partition", code=2))
        self.run_stage("run", "--force")
        self.assertNotEqual(self.digest("datastore/*"), before)
        self.assertIn("--force", self.run_stage("decode knn", "--set", "knn.k=8", code=2))
        self.run_stage("decode knn", "--force", "--set", "knn.k=8")


if __name__ == "__main__":
    unittest.main()
