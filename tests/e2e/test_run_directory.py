"""What is not ours is never touched: not in a folder that is no run directory, not beside our files in
one that is, and not where a symbolic link leads to. What changed is noticed."""
import hashlib
import json
import os
import shutil
import subprocess
import unittest

import pipeline

MARKER = "knnseq-run.json"


class RunDirectory(pipeline.PipelineTest):
    def setUp(self):
        super().setUp()
        self.run_dir = self.folder / "run"

    def refused(self, stage, *options, says, ranks=1):
        text = self.run_stage(stage, *options, ranks=ranks, code=2)
        lines = [line for line in text.splitlines() if line.startswith("knnseq")]
        self.assertEqual(len(lines), 1, text)
        for words in (says,) if isinstance(says, str) else says:
            self.assertIn(words, text)

    @staticmethod
    def tree(folder):
        """{name: checksum, target of a link or nothing} of all that is below a folder."""
        def content(path):
            if path.is_symlink():
                return os.readlink(path)
            return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        return {str(path.relative_to(folder)): content(path) for path in sorted(folder.rglob("*"))}

    def build(self):
        """Everything that the config asks for, and an export."""
        self.run_stage("run")
        self.run_stage("export")

    def test_a_folder_of_somebody_elses(self):
        """A project with its text in corpus/, as run_dir."""
        project = self.folder / "project"
        (project / "corpus").mkdir(parents=True)
        for side in ("de", "en"):
            shutil.copy(self.folder / f"corpus.{side}", project / "corpus")
        shutil.copy(self.config, project / "config.yaml")
        before = self.tree(self.folder)
        here = ("--set", f"run_dir={project}")
        for stage, options in (("partition", ()), ("partition", ("--force",)), ("run", ()), ("decode", ()),
                               ("verify", ()), ("inspect", ())):
            with self.subTest(stage=stage, options=options):
                self.refused(stage, *here, *options, ranks=1 + (stage == "run"),
                             says=(f"{project}: is not a run directory of knnseq: it holds ", MARKER))
                self.assertEqual(self.tree(self.folder), before)
        self.refused("partition", *here, "--set", f"corpus.source={project}/corpus/corpus.de",
                     says="corpus.source: ")
        # Those that only read make nothing at all.
        for stage in ("verify", "inspect"):
            self.refused(stage, "--set", f"run_dir={self.folder}/rum", says="rum: holds no stage's work")
        self.assertEqual(self.tree(self.folder), before)
        # One that is there and empty is fine, a symbolic link to it too.
        (self.folder / "scratch").mkdir()
        (self.folder / "scratch/lost+found").mkdir()
        self.run_dir.symlink_to(self.folder / "scratch")
        self.run_stage("partition", ranks=1)
        self.assertTrue((self.folder / "scratch/corpus/manifest.json").exists())
        self.assertTrue((self.folder / "scratch" / MARKER).exists())
        self.run_stage("verify", ranks=1)

    def test_inputs_in_the_run_directory(self):
        self.run_dir.mkdir()
        for name in ("corpus.de", "corpus.en", "test.de"):
            shutil.copy(self.folder / name, self.run_dir)
        (self.run_dir / "tune").mkdir()
        for path in (self.run_dir / "more.yaml", self.run_dir / "tune/tuned.yaml"):
            path.write_text("timeout_seconds: 60\n", encoding="utf-8")
        (self.folder / "link").symlink_to(self.run_dir)
        before = self.tree(self.run_dir)
        run = self.run_dir
        cases = {"corpus.source": f"{run}/corpus.de", "corpus.target": f"{self.folder}/link/corpus.en",
                 "decode.0.source": f"{self.folder}/x/../run/test.de", "decode.1.reference": f"{run}/test.en",
                 "model": f"{run}/model", "tokenizer": f"{run}", "append": f"[{{name: a, source: {run}/a, target: b}}]",
                 "sweep": f"{{source: {run}/a, target: {run}/b}}", "include": f"{run}/more.yaml",
                 "tune": f"{{source: {run}/a, reference: {run}/b}}"}
        with self.config.open("a", encoding="utf-8") as config:
            config.write(f"include: [{cases.pop('include')}, {run}/tune/tuned.yaml]\n")
        options = [word for key, value in cases.items() for word in ("--set", f"{key}={value}")]
        text = self.run_stage("partition", *options, ranks=1, code=2)
        for key in ("corpus.source", "corpus.target", "decode.0.source", "decode.1.reference", "model", "tokenizer",
                    "append.0.source", "sweep.source", "sweep.target", "include", "tune.source", "tune.reference"):
            self.assertRegex(text, rf"(?m)\b{key}: \S+ lies in run_dir")
        self.assertEqual(text.count("lies in run_dir"), 12, text)
        self.assertEqual(self.tree(self.run_dir), before)

    def test_what_lies_beside_our_files(self):
        self.build()
        run = self.run_dir
        folders = {"partition": "corpus", "encode": "datastore", "train": "codebook", "add": "index",
                   "export": "export", "decode knn": "decode/knn", "evaluate": "evaluate"}
        for folder in folders.values():
            (run / folder / "deeper").mkdir()
            for name in ("notes.txt", "deeper/law.de"):
                (run / folder / name).write_text("theirs", encoding="utf-8")
        everything = [f"{folder}/**/*" for folder in folders.values() if folder != "evaluate"]
        before = self.digests(*everything)
        for stage, folder in folders.items():  # all that it makes is made anew, as it was
            self.run_stage(stage, *(() if stage == "evaluate" else ("--force",)), ranks=1)
            for name in ("notes.txt", "deeper/law.de"):
                self.assertEqual((run / folder / name).read_text(encoding="utf-8"), "theirs")
        self.assertEqual(self.digests(*everything), before)
        self.run_stage("verify", ranks=1)
        # Without a record of ours the folder is somebody else's.
        for stage, folder in folders.items():
            manifest = run / folder / "manifest.json"
            aside = manifest.rename(self.folder / "manifest.json")
            before = self.tree(run / folder)
            for options in ((), ("--force",)):
                with self.subTest(stage=stage, options=options):
                    self.refused(stage, *options, says=(f"{run / folder}: holds '", "no record of a stage"))
                    self.assertEqual(self.tree(run / folder), before)
            aside.rename(manifest)

    def test_symbolic_links(self):
        self.build()
        run, theirs = self.run_dir, self.folder / "theirs"
        theirs.mkdir()
        (theirs / "text").write_text("text", encoding="utf-8")
        untouched = self.tree(theirs)
        good = self.folder / "good"
        shutil.copytree(run, good)
        lead = lambda name: (shutil.rmtree(run / name) if (run / name).is_dir() else
                             (run / name).unlink(missing_ok=True),
                             (run / name).symlink_to(theirs if (good / name).is_dir() else theirs / "text"))
        # Each case: the command, what leads elsewhere, and what is said; nothing if it works.
        cases = (("verify", "lock", "lock: is a symbolic link"),
                 ("verify", "log.jsonl", "log.jsonl: is a symbolic link"),
                 ("verify", MARKER, f"{MARKER}: is a symbolic link"),
                 ("partition --force", "config.yaml.tmp", None), ("partition --force", "config.yaml", None),
                 ("partition --force", "stamps.json", "stamps.json: is a symbolic link"),
                 ("partition --force", "records/partition.json.tmp", None),
                 ("partition --force", "records", "records: is a symbolic link"),
                 ("partition --force", "corpus", "corpus: is a symbolic link"),
                 ("partition --force", "corpus/unpacked", "unpacked: is a symbolic link"),
                 ("partition --force", "corpus/shard-00000.h5", None),
                 ("encode --force", "datastore/manifest.json.tmp", None),
                 ("train --force", "codebook/checkpoint.tmp", None),
                 ("export --force", "export/index.faiss.tmp", None),
                 ("decode knn --force", "decode", "decode: is a symbolic link"),
                 ("decode knn --force", "decode/knn", "knn: is a symbolic link"),
                 ("evaluate", "evaluate", "evaluate: is a symbolic link"),
                 ("evaluate", "evaluate/scores.md.tmp", None))
        for command, name, says in cases:
            with self.subTest(command=command, link=name):
                lead(name)
                stage, _, force = command.partition(" --")
                options = ("--force",) if force else ()
                if says:
                    self.refused(stage, *options, says=says)
                else:
                    self.run_stage(stage, *options, ranks=1)
                self.assertEqual(self.tree(theirs), untouched)
                self.assertEqual((run / name).is_symlink(), bool(says))
            shutil.rmtree(run)
            shutil.copytree(good, run)

    def test_a_run_directory_without_a_marker(self):
        """Earlier versions set none."""
        self.run_stage("partition")
        marker = (self.run_dir / MARKER).read_bytes()
        (self.run_dir / MARKER).unlink()
        self.run_stage("verify", ranks=1)
        self.assertEqual((self.run_dir / MARKER).read_bytes(), marker)
        (self.run_dir / MARKER).write_bytes(marker[:-5])
        self.refused("verify", says=MARKER)
        (self.run_dir / MARKER).unlink()
        (self.run_dir / "corpus/manifest.json").write_text("{}", encoding="utf-8")
        before = self.tree(self.run_dir)
        self.refused("partition", says="is not a run directory of knnseq")
        self.assertEqual(self.tree(self.run_dir), before)

    def test_the_config_that_was_kept(self):
        """It may be used again, and is not replaced by what --set makes of it."""
        self.run_stage("partition")
        kept = self.run_dir / "config.yaml"
        before = kept.read_bytes()
        self.config = kept
        self.run_stage("encode", "--set", "datastore.sample=5000")
        self.assertEqual(kept.read_bytes(), before)

    def test_who_made_it(self):
        """Records have what manifests leave out; files say what they are; commands that only read change nothing."""
        self.run_stage("run", "--set", "decode.1.length_penalty=0.5", ranks=2)
        kept = (self.run_dir / "config.yaml").read_bytes()
        for step, folder in (("partition", "corpus"), ("encode", "datastore"), ("train", "codebook"),
                             ("add", "index"), ("decode-base", "decode/base"), ("decode-knn", "decode/knn")):
            record = json.loads((self.run_dir / f"records/{step}.json").read_text(encoding="utf-8"))
            manifest = json.loads((self.run_dir / folder / "manifest.json").read_text(encoding="utf-8"))
            self.assertEqual(record["manifest"], manifest["identity"])
            self.assertEqual((record["ranks"], record["threads"], record["device"]), (2, 1, "cpu"))
            self.assertIn(" run --config ", record["command"])
            self.assertIn(" --set decode.1.length_penalty=0.5", record["command"])
            self.assertEqual(record["program"]["version"], "0.1.0")
            self.assertRegex(record["program"]["commit"], "^(unknown|[0-9a-f]{12,}(-dirty)?)$")
            [host] = record["hosts"]
            self.assertEqual((host["name"], host["ranks"]), (os.uname().nodename, 2))
            self.assertIn("(", host["processor"])
            self.assertLessEqual(record["began"], record["ended"])
            self.assertRegex(record["ended"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            self.assertFalse(record["resumed"])
            self.assertEqual((self.run_dir / f"records/{step}.yaml").read_bytes(), kept)
        version = subprocess.run([pipeline.PROGRAM, "--version"], capture_output=True, text=True).stdout
        self.assertEqual(version, f"knnseq 0.1.0 (commit {record['program']['commit']})\n")
        for name, texts in (("corpus", ("knnseq corpus", "tokenizer")),
                            ("datastore", ("knnseq datastore", "marian ", "ffn_in of decoder layer 2 (from 0)",
                                           "fp32, in which the model ran on cpu"))):
            head = (self.run_dir / name / "shard-00000.h5").read_bytes()[:1 << 14]
            for text in texts:
                self.assertIn(text.encode(), head)
        for stage in ("inspect", "verify", "evaluate"):
            text = self.run_stage(stage, "--set", "inspect.neighbours=2", ranks=1)
            self.assertEqual((self.run_dir / "config.yaml").read_bytes(), kept, stage)
        self.assertRegex(text, r"\| base: length penalty 1 +\|")
        self.assertRegex(text, r" 2 × 1 \|")
        self.assertRegex(text, r"\| kNN: k 16, T 20, lambda 0.6, nprobe 4, length penalty 0.5 +\|")
        # Another decoding keeps its own, and its other number of ranks makes speeds that do not compare.
        self.run_stage("decode base", "--force", "--set", "decode.0.length_penalty=0.7", ranks=3)
        self.assertIn("length_penalty: 0.7", (self.run_dir / "records/decode-base.yaml").read_text(encoding="utf-8"))
        self.assertEqual((self.run_dir / "records/decode-knn.yaml").read_bytes(), kept)
        self.assertIn("Tokens/s do not compare", self.run_stage("evaluate", ranks=1))

    def test_a_model_that_is_edited_in_place(self):
        """Even if its size and its modification time are as they were."""
        model = self.folder / "model"
        shutil.copytree(pipeline.MODEL, model)
        mine = ("--set", f"model={model}", "--set", f"tokenizer={model}")
        for stage in ("partition", "encode", "train", "add", "decode base"):
            self.run_stage(stage, *mine, ranks=1)
        weights = model / "model.safetensors"
        times = os.stat(weights)
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        with weights.open("r+b") as file:
            file.write(data)
        os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.assertEqual(os.stat(weights).st_mtime_ns, times.st_mtime_ns)
        self.refused("decode base", *mine, says="models: model.safetensors has changed")
        self.refused("decode knn", *mine, says="another model than")

    def test_names_that_become_files(self):
        name = "n" * 100
        item = lambda name: ("--set", f"decode=[{{name: {name}, source: {self.folder}/test.de, knn: false}}]")
        self.run_stage(f"decode {name}", *item(name), ranks=1)
        self.assertTrue((self.run_dir / "decode" / name / "hyp.txt").exists())
        self.refused(f"decode {name}n", *item(name + "n"), says="name: must have at most 100 characters")


if __name__ == "__main__":
    unittest.main()
