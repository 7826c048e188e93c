"""A changed byte, a truncated, empty, missing or swapped file of a run directory is seen before it is
used: the stage that reads it refuses and names it, and verify lists everything at once."""
import random
import shutil
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import pipeline  # noqa: E402

# What nobody builds on: messages, times, the lock, the resolved config; and the marker, without which no
# command begins.
NOT_COVERED = {"lock", "log.jsonl", "config.yaml", "records", "knnseq-run.json"}
STAGES = ("partition", "encode", "train", "add", "append", "decode", "evaluate", "export")
FOLDERS = dict(zip(STAGES, ("corpus", "datastore", "codebook", "index", "append", "decode", "evaluate",
                            "export")))


def flip(path, at):
    """Changes one bit of the byte at this place: a fraction of the file's length, or a position."""
    data = bytearray(path.read_bytes())
    data[at if isinstance(at, int) else min(int(len(data) * at), len(data) - 1)] ^= 0x10
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-3])


def empty(path):
    path.write_bytes(b"")


def no_object(path):
    path.write_text('["state"]\n')


class Corruption(pipeline.AppendingTest):
    def refused(self, stage, name, *options, ranks=1):
        """The stage must end with one message that names the file."""
        text = self.run_stage(stage, *options, ranks=ranks, code=2)
        lines = [line for line in text.splitlines() if line.startswith("knnseq")]
        self.assertEqual(len(lines), 1, text)
        self.assertIn(str(name), lines[0])
        return lines[0]

    def restore(self):
        shutil.rmtree(self.run_dir)
        shutil.copytree(self.folder / "good", self.run_dir)

    def test_finished_stages(self):
        for stage in STAGES:
            self.run_stage(stage)
        good = self.folder / "good"
        shutil.copytree(self.run_dir, good)
        self.check_verify(good)
        self.check_readers()

    def check_verify(self, good):
        self.assertIn(" 0\n", self.run_stage("verify", ranks=3))
        files = [path.relative_to(good) for path in sorted(good.rglob("*"))
                 if path.is_file() and path.relative_to(good).parts[0] not in NOT_COVERED]
        manifests = [file for file in files if file.name == "manifest.json"]
        shards = [file for file in files if file.match("shard-*.json")]  # what they describe is hidden
        data = [file for file in files if file not in manifests + shards and file.name != "stamps.json"
                and (good / file).stat().st_size > 0]
        self.assertEqual(len(manifests), 12)
        self.assertEqual((len(shards), len(data)), (8, 26))
        numbers = random.Random(7)
        rounds = [(data, lambda p: flip(p, 0)), (data, lambda p: flip(p, numbers.random())),
                  (data, lambda p: flip(p, numbers.random())), (data, truncate), (data, empty),
                  (data, Path.unlink), (shards, lambda p: flip(p, numbers.random())), (shards, empty),
                  (manifests, lambda p: flip(p, numbers.random())), (manifests, empty)]
        for damaged, damage in pipeline.some(rounds):
            for file in damaged:
                damage(self.run_dir / file)
            text = self.run_stage("verify", code=2)
            for file in damaged:
                self.assertIn(str(self.run_dir / file), text)
            self.restore()
        # Nothing else is blamed, and every byte of an HDF5 file's structure counts.
        for at in numbers.sample(range(800), 5):
            file = self.run_dir / "datastore/shard-00001.h5"
            flip(file, at)
            text = self.run_stage("verify", code=2)
            self.assertIn(f"{file}: is damaged: its HDF5 structure in the bytes 0 to", text)
            self.assertIn("damaged files or ranges: 1", text)
            flip(file, at)
        self.run_stage("verify")

    def check_readers(self):
        """Each case: what is done to which file, and the stage that must notice."""
        swap = lambda other: lambda path: self.swap(path, path.with_name(other))
        h5, other = "shard-00000.h5", "shard-00001.h5"
        bits = lambda at: lambda path: flip(path, at)
        (self.folder / "list.tsv").write_text("main\t1\nmain\t2\nnews\t3\n")
        remove = f"remove --lines={self.folder}/list.tsv"
        cases = (
            ("encode", f"corpus/{h5}", bits(0)), ("encode", f"corpus/{h5}", bits(0.6)),
            ("encode", f"corpus/{h5}", truncate), ("encode", f"corpus/{h5}", empty),
            ("encode", f"corpus/{h5}", swap(other)), ("encode", f"corpus/{h5}", Path.unlink),
            ("encode", "corpus/manifest.json", bits(0.5)), ("encode", "corpus/manifest.json", empty),
            ("encode", "corpus/manifest.json", lambda p: self.swap(p, self.run_dir / "index/manifest.json")),
            ("train", f"datastore/{h5}", bits(20)), ("train", f"datastore/{h5}", truncate),
            ("train", f"datastore/{h5}", swap(other)), ("train", "datastore/shard-00000.json", bits(0.4)),
            ("train", "datastore/shard-00000.json", swap("shard-00001.json")),
            ("train", "datastore/manifest.json", truncate), ("add", f"datastore/{h5}", bits(0.3)),
            ("add", f"datastore/{h5}", bits(100)), ("add", "codebook/codebook.faiss", bits(0.7)),
            ("add", "codebook/codebook.faiss", truncate), ("add", "codebook/manifest.json", bits(0.2)),
            ("append", "codebook/codebook.faiss", bits(0.1)),
            ("decode knn", "codebook/codebook.faiss", bits(0.3)),
            ("decode knn", "index/shard-00000.faiss", bits(0.99)),
            ("decode knn", "index/shard-00000.faiss", swap("shard-00001.faiss")),
            ("decode knn", "index/shard-00000.faiss", empty), ("decode knn", "index/shard-00001.json", bits(0.5)),
            ("decode knn", "index/manifest.json", bits(0.5)),
            ("decode knn", "append/news/index/shard-00001.faiss", bits(0.5)),
            ("decode knn", "append/news/datastore/manifest.json", bits(0.5)),
            ("export", "append/news/index/shard-00000.faiss", bits(0.5)),
            ("export", "index/shard-00001.json", empty), ("export", "codebook/codebook.faiss", bits(0.5)),
            (remove, f"corpus/{h5}", bits(0.6)), (remove, f"datastore/{h5}", bits(0.3)),
            (remove, "index/shard-00001.faiss", bits(0.9)), (remove, "corpus/dropped.tsv", lambda p: p.write_text("1\n")),
            ("evaluate", "decode/knn/hyp.txt", bits(0.5)), ("evaluate", "decode/base/ref.txt", truncate),
            ("evaluate", "decode/base/hyp.txt", lambda p: self.swap(p, self.run_dir / "decode/knn/hyp.txt")),
            ("evaluate", "decode/base/manifest.json", lambda p: self.swap(p, self.run_dir / "decode/knn/manifest.json")),
            ("inspect", "decode/knn/nbest.jsonl", bits(0.5)), ("inspect", "decode/base/src.txt", empty))
        for stage, name, damage in pipeline.some(cases):
            with self.subTest(stage=stage, file=name):
                own = FOLDERS.get(stage.split()[0])
                if own not in (None, "evaluate"):
                    shutil.rmtree(self.run_dir / own / (stage.split() + [""])[1])
                if stage == "append":  # only what is appended needs the codebook again
                    shutil.copytree(self.folder / "good/append/news/corpus", self.run_dir / "append/news/corpus")
                    shutil.copytree(self.folder / "good/append/news/datastore",
                                    self.run_dir / "append/news/datastore")
                damage(self.run_dir / name)
                self.refused(stage, name)
            self.restore()
        # A cache is made anew, aloud.
        flip(self.run_dir / "stamps.json", 0.5)
        self.assertIn("stamps.json: ", self.run_stage("partition"))

    def test_subsets_and_tuning(self):
        pair = [f"{self.folder}/test.{side}" for side in ("de", "en")]
        options = ("append=[]", "decode.1.mode=subset", "subset.sentences=40", "subset.index=IVF8,Flat",
                   "subset.nprobe=4", "subset.sample=500", "subset.codes=OPQ16_64,PQ16",
                   f"tune.source={pair[0]}", f"tune.reference={pair[1]}", "tune.mode=subset",
                   "tune.k=[2, 4]", "tune.candidates=2")
        common = [word for option in options for word in ("--set", option)]
        for stage in ("partition", "encode", "subset", "decode knn", "tune"):
            self.run_stage(stage, *common)
        shutil.copytree(self.run_dir, self.folder / "good")
        swap = lambda other: lambda path: self.swap(path, path.with_name(other))
        bits = lambda at: lambda path: flip(path, at)
        rounds = (bits(0), bits(0.5), truncate, empty)
        # Each case: the stage, what it makes again, the file that it must refuse, and what was done to it.
        cases = [(reader, made, f"subset/{name}", damage)
                 for reader, made, names in (
                     ("decode knn", "decode/knn", ("codebook/codebook.faiss", "codes/shard-00000.h5",
                                                   "sentence-codebook/codebook.faiss",
                                                   "sentence-index/shard-00001.faiss")),
                     ("subset", "subset/codes", ("codebook/codebook.faiss",)),
                     ("subset", "subset/sentence-index", ("sentence-codebook/codebook.faiss",)))
                 for name in names for damage in rounds]
        cases += [("decode knn", "decode/knn", "subset/codes/shard-00000.h5", swap("shard-00001.h5")),
                  ("decode knn", "decode/knn", "subset/codes/shard-00000.json", bits(0.5)),
                  ("decode knn", "decode/knn", "subset/codes/manifest.json", bits(0.5)),
                  ("decode knn", "decode/knn", "subset/sentence-index/shard-00000.faiss",
                   swap("shard-00001.faiss")),
                  ("decode knn", "decode/knn", "subset/sentence-index/manifest.json", empty),
                  ("subset", "subset/codes", "datastore/shard-00001.h5", bits(0.5)),  # keys
                  ("subset", "subset/sentence-index", "datastore/shard-00001.h5", bits(0.97)),  # of sentences
                  ("tune", "tune/base", "tune-subset/likelihoods/likelihoods.json", bits(0.5)),
                  ("tune", "tune-subset/likelihoods", "tune/base/hyp.txt", truncate)]
        for stage, made, name, damage in pipeline.some(cases, 3):
            with self.subTest(stage=stage, file=name):
                shutil.rmtree(self.run_dir / made)
                damage(self.run_dir / name)
                self.assertIn(name, self.run_stage("verify", ranks=1, code=2))
                self.refused(stage, name, *common)
            self.restore()

    @staticmethod
    def swap(one, other):
        data = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(data)

    def test_interrupted_stages(self):
        """What a resumption would build on is checked before it is used."""
        for name in ("corpus.de", "corpus.en"):
            text = (self.folder / name).read_text(encoding="utf-8")
            (self.folder / name).write_text(text * 14, encoding="utf-8")
        one = ("--set", "shards=1", "--set", "append=[]")
        self.run_stage("partition", *one)
        begin = lambda path: flip(path, 9)  # an HDF5 file's superblock
        middle = lambda path: flip(path, 0.5)
        of_shard = (("state.json", middle), ("shard-00000.structure", middle), ("shard-00000.h5", begin),
                    ("shard-00000.h5", truncate), ("shard-00000.journal.0000", begin))
        cases = (("encode", "datastore", "*.journal.*", (*of_shard, ("sample.json", middle))),
                 ("train", "codebook", "checkpoint", (("state.json", begin), ("checkpoint", middle),
                                                      ("checkpoint", truncate), ("checkpoint", empty),
                                                      ("state.json", no_object))),
                 ("add", "index", "*.journal.*", (*of_shard, ("shard-00000.h5", lambda p: flip(p, 3000)))),
                 ("decode knn", "decode/knn", "*.journal.*",
                  (("state.json", empty), ("blocks.journal.0000", begin))))
        for stage, folder, pattern, damages in cases:
            place = self.run_dir / folder
            # Two records, so that damage to the first is not taken for a torn end.
            whole = 2 if "journal" in pattern else 1
            begun = lambda: any(p.read_bytes().count(b"\n") >= whole for p in place.glob(pattern))
            self.start_and_signal(stage, *one, ranks=1, when=begun)
            self.assertFalse((place / "manifest.json").exists(), "the signal came too late")
            self.run_stage("verify")
            shutil.rmtree(self.folder / "good", ignore_errors=True)
            shutil.copytree(self.run_dir, self.folder / "good")
            for name, damage in pipeline.some(damages):
                with self.subTest(stage=stage, file=name):
                    damage(place / name)
                    self.assertIn(name.split(".")[0], self.run_stage("verify", ranks=1, code=2))
                    self.refused(stage, name, *one)
                self.restore()
            self.run_stage(stage, *one)
        self.run_stage("verify")


if __name__ == "__main__":
    unittest.main()
