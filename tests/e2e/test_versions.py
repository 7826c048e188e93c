"""Run directories of earlier versions: read where the format is the same, refused with the command that helps
where it is another."""
import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import pipeline

FIXTURE = pipeline.ROOT / "tests" / "data" / "run-version-4"
STEPS = ("partition", "encode", "train", "add", "append-more-partition", "append-more-encode", "append-more-add",
         "append-more-measure", "decode-base", "decode-knn")


class Versions(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="knnseq-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        shutil.copytree(FIXTURE, self.folder, dirs_exist_ok=True)

    def knnseq(self, *words, code=0):
        done = subprocess.run([pipeline.PROGRAM, *words, "--config", "config.yaml", "--set",
                               f"model={pipeline.MODEL}"], cwd=self.folder, capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def files(self):
        """What stages have made, by name."""
        run = self.folder / "run"
        kept = [path for stage in ("corpus", "datastore", "codebook", "index", "append", "decode", "evaluate")
                for path in (run / stage).rglob("*")]
        return {str(path.relative_to(run)): path.read_bytes() for path in kept if path.is_file()}

    def set_version(self, step, version):
        path = self.folder / "run" / step / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["version"] = version
        path.write_text(json.dumps(manifest))

    def test_the_same_format_is_read_and_nothing_is_made_again(self):
        before = self.files()
        # Their default was 32; another one makes decodings anew.
        said = self.knnseq("run", "--set", "beam_search.block_sentences=32")
        for step in STEPS:
            self.assertIn(f"[{step}] already done", said)
        self.assertEqual(sorted(self.files()), sorted(before))
        changed = [name for name, content in self.files().items() if content != before[name]]
        self.assertEqual([name for name in changed if not name.startswith("evaluate/")], [])
        self.assertTrue((self.folder / "run" / "knnseq-run.json").exists(), "it is marked now")
        self.assertRegex(self.knnseq("verify"), r"append/more/measure +1 ")

    def test_later_stages_work_on_it(self):
        self.knnseq("export")
        self.assertTrue((self.folder / "run" / "export" / "index.faiss").exists())

    def test_another_format_is_refused_with_the_command_that_helps(self):
        before = self.files()
        for version in (3, 5):
            self.set_version("corpus", version)
            refused = f"corpus/manifest.json: has version {version}; this knnseq reads version 4"
            self.assertIn(f"{refused}; --force makes the stage again", self.knnseq("run", code=2))
            self.assertIn(f"{refused}; run 'knnseq partition --force'", self.knnseq("train", code=2))
            self.assertIn(refused, self.knnseq("verify", code=2))
        self.knnseq("run", "--force")
        self.knnseq("verify")
        self.set_version("append/more/index", 3)
        self.assertIn("run 'knnseq append more --force'", self.knnseq("export", code=2))
        self.knnseq("append", "--force")
        self.knnseq("export")
        self.assertEqual(sorted(self.files()), sorted(before))


if __name__ == "__main__":
    unittest.main()
