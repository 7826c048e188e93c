"""merge makes of several run directories what append makes of their texts, for any ranks."""
import json
import os
import shutil
import subprocess
import time
import unittest

import pipeline

TEXT_AND_KEYS = ("corpus/*.h5", "datastore/*.h5", "index/*.faiss")
ALL = ("corpus/*", "datastore/*", "codebook/*", "index/*", "append/*/corpus/*", "append/*/datastore/*",
       "append/*/index/*")


class Merge(pipeline.AppendingTest):
    def setUp(self):
        super().setUp()
        pairs = [line.split("\t") for line in
                 (pipeline.MODEL / "test.tsv").read_text(encoding="utf-8").splitlines()[800:860]]
        for side, language in enumerate(("de", "en")):
            self.write_side(f"late.{language}", [pair[side] for pair in pairs])
        self.news, self.late = ({"name": name, "source": f"{self.folder}/{name}.de",
                                 "target": f"{self.folder}/{name}.en"} for name in ("news", "late"))

    def make(self, run, stage, append=(), text="corpus", *options):
        """A run directory of a text with others appended; nothing is translated."""
        files = {"source": f"{self.folder}/{text}.de", "target": f"{self.folder}/{text}.en", "max_tokens": 1500}
        self.run_stage(stage, "--set", f"run_dir={self.folder}/{run}", "--set", f"corpus={json.dumps(files)}",
                       "--set", f"append={json.dumps(list(append))}", "--set", "decode=[]", *options)

    def knnseq(self, *words, ranks=2, code=0):
        """A command without the test's config, in the test's folder."""
        command = ["mpirun", "-np", str(ranks)] if ranks > 1 and code == 0 else []
        done = subprocess.run([*command, pipeline.PROGRAM, *words], capture_output=True, text=True, timeout=120,
                              cwd=self.folder, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def kill_merge(self, into, *sources):
        """Kills it in the midst of its work: when the first shard of what is coded last is there."""
        job = subprocess.Popen(["mpirun", "-np", "2", pipeline.PROGRAM, "merge", *sources, "--into", into],
                               cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        sign = self.folder / into / "append/late/datastore/shard-00000.json"
        while not sign.exists() and job.poll() is None:
            time.sleep(0.002)
        for pid in subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True).stdout.split():
            os.kill(int(pid), 9)
        self.assertNotEqual(job.wait(timeout=60), 0)
        self.assertFalse((self.folder / into / "merge/manifest.json").exists())

    def test_merged_is_appended(self):
        self.make("base", "run")
        for run, begin, append in (("a", "base", [self.news]), ("b", "base", [self.late]),
                                   ("both", "a", [self.news, self.late])):
            shutil.copytree(self.folder / begin, self.folder / run)
            self.make(run, "append", append)
        few = ("--set", "index.factory=IVF8,PQ8")
        self.make("other", "run", [], "late", *few)
        before = self.digest(*ALL, run="a"), self.digest(*ALL, run="b")

        # One codebook: main, which both have, is taken once, and all files are those that append makes.
        said = self.knnseq("merge", "a", "b", "--into", "c", ranks=3)
        self.assertRegex(said, "late: [0-9,]+ entries from late of b")
        self.assertEqual(self.digests(*ALL, run="c"), self.digests(*ALL, run="both"))
        self.assertEqual((self.digest(*ALL, run="a"), self.digest(*ALL, run="b")), before)
        keys = "append/late/datastore/shard-00000.h5"
        self.assertTrue(os.path.samefile(self.folder / "c" / keys, self.folder / "b" / keys))
        self.assertIn("already done", self.knnseq("merge", "a", "b", "--into", "c", ranks=1))
        corpora = json.loads((self.folder / "c/merge/corpora.json").read_text())
        self.assertEqual([(one["corpus"], one["from"]["run_dir"], one["coded_anew"]) for one in corpora],
                         [("main", "a", False), ("news", "a", False), ("late", "b", False)])
        self.assertEqual(corpora[2]["first_entry"], corpora[1]["first_entry"] + corpora[1]["entries"])

        # Another codebook: keys are coded as append codes them.
        kept = [f"append/late/{part}" for part in TEXT_AND_KEYS]
        self.kill_merge("d2", "a", "late=other")
        self.assertIn("a merge into this run directory is not finished",
                      self.knnseq("decode", "--config", "d2/config.yaml", code=2))
        for ranks in (1, 2, 4) if pipeline.FULL else (1, 2):
            self.knnseq("merge", "a", "late=other", "--into", f"d{ranks}", ranks=ranks)
            self.assertEqual(self.digests(*kept, run=f"d{ranks}"), self.digests(*kept, run="both"))
            self.assertEqual(self.leftovers(f"d{ranks}"), [])
        self.assertEqual(self.digest(*ALL, run="d1"), self.digest(*ALL, run="d2"))

        # The other commands work on it: the config came with it.
        config = ("--config", "d1/config.yaml")
        decodings = [{"name": "knn", "source": f"{self.folder}/test.de", "corpora": ["main", "late"]}]
        done = self.knnseq("run", *config, "--set", f"decode={json.dumps(decodings)}", "--set", "evaluate={}")
        self.assertEqual(done.count("already done"), 4 + 3, done)  # and nothing of a merged corpus is made again
        self.assertIn("append late: ", done)
        planned = self.knnseq("plan", *config, "--set", "run_dir=new", "--rates", "d1", ranks=1)
        self.assertRegex(planned, r"\| encode +\|.*\| +- \|\n")  # its files are links: that took no time
        self.assertIn("took out the corpus late", self.knnseq("remove", "late", *config))
        self.knnseq("verify", "--run", "d1", ranks=1)

        for words, message in (
                (("a", "b"), "--into: DIR is required"),
                (("a", "--into", "x"), "needs two run directories"),
                (("a", "a", "--into", "x"), "a: is given twice"),
                (("a", "b", "--into", "both"), "both: holds 'corpus' already; merge makes a new run directory"),
                (("m=a", "b", "--into", "x"), "m=a/config.yaml: cannot be opened"),
                (("a", "news=other", "--into", "x"),
                 "would be called 'news', as is another one of a; give a name: NAME=other")):
            with self.subTest(words):
                self.assertIn(message, self.knnseq("merge", *words, code=2))


if __name__ == "__main__":
    unittest.main()
