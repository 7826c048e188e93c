"""cmake --install: the program runs from anywhere, and finds its scripts, configs, docs and completion there."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import pipeline

BUILD = Path(pipeline.PROGRAM).resolve().parents[1]


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.prefix = Path(tempfile.mkdtemp(prefix="knnseq-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.prefix, ignore_errors=True)
        done = subprocess.run(["cmake", "--install", BUILD, "--prefix", cls.prefix, "--strip"], capture_output=True,
                              text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        cls.data = cls.prefix / "share/knnseq"

    def run_there(self, *command, code=0, **environment):
        """What a command prints that starts in / and knows nothing of this folder."""
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd="/",
                              env={"PATH": f"{self.prefix}/bin:/usr/bin:/bin", **environment})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_program(self):
        self.assertRegex(self.run_there("knnseq", "--version"), r"knnseq \d+\.\d+")
        said = self.run_there("knnseq", "encode", "--config", self.data / "configs/reference.yaml", "--set",
                              f"run_dir={self.prefix}/none", code=2)
        self.assertIn("run 'knnseq partition' first", said)

    def test_scripts(self):
        for script in sorted((self.data / "scripts").glob("*.py")):
            if os.access(script, os.X_OK) and script.name not in ("export_torchscript.py", "export_sentence_encoder.py"):
                self.assertIn("usage:", self.run_there(sys.executable, script, "--help"), script)
        found = self.run_there(sys.executable, "-c", "import knnseq; print(knnseq.find_program())",
                               PYTHONPATH=str(self.data / "scripts"))
        self.assertEqual(found.strip(), str(self.prefix / "bin/knnseq"))

    def test_every_script_has_what_it_imports(self):
        own = {path.stem for path in (pipeline.ROOT / "scripts").glob("*.py")}
        for script in (self.data / "scripts").glob("*.py"):
            imported = re.findall(r"^\s*(?:import|from) (\w+)", script.read_text(encoding="utf-8"), re.M)
            for module in own & set(imported):
                self.assertTrue((self.data / f"scripts/{module}.py").exists(), f"{script.name} imports {module}")

    def test_slurm(self):
        shutil.copy(self.data / "slurm/cluster.example.sh", self.prefix / "cluster.sh")
        text = (self.prefix / "cluster.sh").read_text(encoding="utf-8").replace("module ", ": ")
        (self.prefix / "cluster.sh").write_text(text.replace("program=$top/build/bin/knnseq", ""), encoding="utf-8")
        (self.prefix / "mine.yaml").write_text("run_dir: /nonexistent/run\nmodel: m\n", encoding="utf-8")
        said = self.run_there(self.data / "slurm/submit.sh", self.prefix / "mine.yaml", "--print", "--cluster",
                              self.prefix / "cluster.sh", code=2)
        self.assertIn("knnseq run: ", said)  # it found the program, which found the problems

    def test_documents(self):
        for file in ("README.md", "LICENSE", "docs/design.md", "docs/internals/files.md"):
            self.assertTrue((self.prefix / "share/doc/knnseq" / file).exists(), file)

    def complete(self, *words):
        """What bash offers for the last of these words."""
        script = self.prefix / "share/bash-completion/completions/knnseq"
        code = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _knnseq; printf "%s\\n" "${COMPREPLY[@]}"'
        return self.run_there("bash", "-c", code, script, "knnseq", *words).split()

    def test_completion(self):
        self.assertEqual(self.complete("enc"), ["encode"])
        listed = [line.split()[0] for line in self.run_there("knnseq", "--list").splitlines()]
        self.assertEqual(self.complete(""), listed)
        self.assertEqual(self.complete("decode", "--set", "knn.lam"), ["knn.lambda="])
        self.assertIn("decode.0.k=", self.complete("decode", "--set", "decode.0."))
        self.assertEqual(self.complete("decode", "--set", "knn.k", "=", ""), [])
        demo = self.data / "configs/demo.yaml"
        self.assertIn(str(demo), self.complete("decode", "--config", self.data / "configs/de"))
        names = ["test-base", "test-knn", "test-distance", "test-memory", "test-subset"]
        self.assertEqual(self.complete("decode", "--config", demo, "test-"), names)
        self.assertLessEqual({"--config", "--set", "--force", "--run", "--jsonl"}, set(self.complete("translate", "--")))
        self.assertIn("--check", self.complete("run", "--"))
        self.assertEqual(self.complete("no-stage", "x"), [])


if __name__ == "__main__":
    unittest.main()
