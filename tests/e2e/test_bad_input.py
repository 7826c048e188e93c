"""Bad input is refused in one line on standard error, with exit code 2 and nothing half-written."""
import fcntl
import gzip
import json
import os
import struct
import subprocess
import time
import unittest

import pipeline
from refusals import Case, RefusalTest


def sets(stage, says, *options, **more):
    return Case(stage, says, options, **more)


CONFIG_CASES = (
    sets("partition", "unknown key 'knn.kk' (did you mean 'knn.k'?)", "knn.kk=3", ranks=3),
    sets("partition", "unknown key 'modell'", "modell=x"),
    sets("partition", r"unknown key '\x1b[31mred'", "\x1b[31mred=1"),
    sets("partition", "unknown key 'append.0.sauce'", 'append=[{name: a, sauce: x}]'),
    sets("partition", "shards: 0 must lie in 1 to", "shards=0", ranks=2),
    sets("partition", "shards: 100000 must lie in", "shards=100000"),
    sets("partition", "shards: must be a whole number", "shards=2.5"),
    sets("partition", "shards: must be a whole number", "shards=many"),
    sets("partition", "threads: 0 must lie in", "threads=0"),
    sets("partition", "timeout_seconds: -1 must lie in 0 to", "timeout_seconds=-1"),
    sets("partition", "timeout_seconds: must be a finite number", "timeout_seconds=.nan"),
    sets("partition", "knn.k: 0 must lie in 1 to", "knn.k=0"),
    sets("partition", "knn.k: must be a whole number", "knn.k=[1]"),
    sets("partition", "knn.nprobe: 0 must lie in 1 to", "knn.nprobe=0"),
    sets("partition", "33 is more than the index's 32 lists", "knn.nprobe=33"),
    sets("partition", "knn.lambda: must be below 1", "knn.lambda=1"),
    sets("partition", "knn.lambda: -0.5 must lie in 0 to 1", "knn.lambda=-0.5"),
    sets("partition", "knn.lambda: must be a finite number", "knn.lambda=.nan"),
    sets("partition", "knn.temperature: 0 must lie in", "knn.temperature=0"),
    sets("partition", "knn.temperature: must be a finite number", "knn.temperature=.inf"),
    sets("partition", "knn.threshold: must be a finite number", "knn.threshold=.inf"),
    sets("partition", "knn.threshold: 1e+300 must lie in -1e+30 to 1e+30", "knn.threshold=1e300"),
    sets("partition", "index.max_points_per_centroid: 4611686018427387904 must lie in 0 to",
         "index.max_points_per_centroid=4611686018427387904"),
    sets("partition", "knn.backend: 'gpu' must be one of: knnseq, faiss", "knn.backend=gpu"),
    sets("partition", "temperature: is required if index.metric is ip", "index.metric=ip",
         "knn={nprobe: 4}"),
    sets("partition", "index.metric: 'l1' must be one of: l2, ip, cos", "index.metric=l1"),
    sets("partition", "Flat,PQ", "index.factory=Flat,PQ"),
    sets("partition", "PQ7", "index.factory=IVF8,PQ7"),
    sets("partition", "OPQ16_65", "index.factory=OPQ16_65,IVF32,PQ16"),
    sets("partition", "index.factory", "index.factory="),
    sets("partition", "datastore.sample: 0 must lie in 1 to", "datastore.sample=0"),
    sets("partition", "needs at least 256 training vectors", "datastore.sample=100", ranks=2),
    sets("partition", "datastore.seed: -1 must lie in 0 to", "datastore.seed=-1"),
    sets("partition", "datastore.key: 'ffn' must be one of", "datastore.key=ffn"),
    sets("partition", "datastore.sentence_keys: must be true or false", "datastore.sentence_keys=3"),
    sets("partition", "datastore.store: 'disk' must be one of: keys, none", "datastore.store=disk"),
    sets("partition", "datastore.sample_unit: 'sentence' must be one of: entry, batch",
         "datastore.sample_unit=sentence"),
    sets("partition", "datastore.sentence_keys: must be false if store is none",
         "datastore.store=none", "datastore.sentence_keys=true", ranks=2),
    sets("partition", "they need datastore.store: keys", "datastore.store=none", "knn.mode=subset"),
    sets("partition", "dtype: 'fp64' must be one of", "dtype=fp64"),
    sets("partition", "fp16", "dtype=fp16"),
    sets("partition", "datastore.dtype: int8 is too coarse for keys", "datastore.dtype=int8"),
    sets("partition", "corpus.bad_pairs: 'keep' must be one of", "corpus.bad_pairs=keep"),
    sets("partition", "corpus.source: is required", "corpus={target: x}"),
    sets("partition", "beam_search.beam: 0 must lie in", "beam_search.beam=0"),
    sets("partition", "nbest: must not be larger than beam", "beam_search.nbest=9"),
    sets("partition", "beam_search.length_penalty: must be a number", "beam_search.length_penalty=long"),
    sets("partition", "decode.0.source: is required", "decode=[{name: a}]"),
    sets("partition", "name: is used twice", "decode=[{name: a, source: x}, {name: a, source: x}]"),
    sets("partition", "must be of letters, digits", "decode=[{name: ../a, source: x}]"),
    sets("partition", "decode: must be", "decode=3"),
    sets("partition", "1 for 2 models", "model=[a, b]", "knn.datastores=[x]"),
    sets("partition", "evaluate.tokenize: 'xx' must be one of: 13a, intl", "evaluate.tokenize=xx"),
    sets("run", "ja-mecab needs evaluate.tokenize_command", "evaluate.language=ja"),
    sets("partition", "evaluate.scores: 'wer' must be one of", "evaluate.scores=[wer]"),
    sets("partition", "comet: x must hold {}", "evaluate.external={comet: x}"),
    sets("partition", "'ter' is a score that evaluate makes itself", "evaluate.external={ter: '{}'}"),
    sets("partition", "external: must be a map", "evaluate.external=[x]"),
    sets("partition", "/nowhere", "model=/nowhere", ranks=2),
    sets("train", "index.opq_tolerance: -1 must lie in 0 to", "index.opq_tolerance=-1"),
    sets("sweep", "sweep.target: is required", "sweep.source=x"),
    Case("partition", "is not a stage", edit=lambda test: test.rename_stage("interpret")),
    Case("train some", "only append, remove, decode, translate and serve take names"),
    Case("partition", "is not an option", arguments=("--fast",)),
    Case("partition", "needs a value", arguments=("--set",)),
    Case("partition", "key=value", arguments=("--set", "shards")),
    Case("partition", "none.yaml", arguments=("--config", "none.yaml")),
    Case("partition", "config.yaml", edit=lambda test: test.config.write_text("run_dir: [")),
    Case("partition", "config.yaml", edit=lambda test: test.config.write_bytes(b"\x00\xff\xfe")),
    Case("partition", "run_dir: is required", edit=lambda test: test.config.write_text("")),
    Case("partition", "shards", edit=lambda test: test.add_config("shards: 1\nshards: 2\n")),
    Case("partition", "config.yaml", edit=lambda test: (test.config.unlink(), test.config.mkdir())),
)


class BadInput(RefusalTest):
    def test_config(self):
        self.check(CONFIG_CASES)
        self.assertFalse((self.folder / "run").exists() and self.tree())

    def test_corpus(self):
        folder = self.folder
        write = lambda name, data: lambda test: (folder / name).write_bytes(data)
        put = lambda name, number, line: lambda test: test.put_line(name, number, line)
        stop = "corpus.bad_pairs=stop"
        self.check((
            Case("partition", "none.de: no such file", (f"corpus.source={folder}/none.de",), ranks=2),
            Case("partition", "is not a regular file", (f"corpus.source={folder}",)),
            Case("partition", "different numbers of lines: 700 and 1", edit=write("corpus.en", b"One.\n"), ranks=3),
            Case("partition", "different numbers of lines: 0 and 700", edit=write("corpus.de", b"")),
            Case("partition", "no usable sentence pair", (f"corpus.target={folder}/corpus.de",),
                 edit=write("corpus.de", b"")),
            Case("partition", "no usable sentence pair", edit=lambda test: [
                (folder / name).write_bytes(b"\r\n" * 700) for name in ("corpus.de", "corpus.en")]),
            Case("partition", "corpus.de", edit=write("corpus.de", gzip.compress(b"Ein Satz.\n" * 700)[:-9])),
            Case("partition", "corpus.de:4: empty source", (stop,), edit=put("corpus.de", 4, b""), ranks=2),
            Case("partition", "corpus.en:5: empty target", (stop,), edit=put("corpus.en", 5, b" \t")),
            Case("partition", "corpus.en:9: invalid text", (stop,), edit=put("corpus.en", 9, b"\xff\xfe")),
            Case("partition", "corpus.de:9: invalid text", (stop,), edit=put("corpus.de", 9, b"a\0b")),
            Case("partition", "corpus.de:2: source longer", (stop,), edit=put("corpus.de", 2, b"Wort " * 2000)),
            Case("partition", "corpus.en:2: target longer", (stop,), edit=put("corpus.en", 2, b"w" * 10_000_000)),
            Case("partition", "special token", (stop,), edit=put("corpus.en", 3, b"an </s> end"), ranks=2),
            Case("partition", "filter 'false': ended with exit status 1", ("preprocess.source='false'",)),
            Case("partition", "it must give one for each", ("preprocess.target='head -n 5; cat > /dev/null'",)),
            Case("decode base", "test.de:2: invalid text", edit=put("test.de", 2, b"\xc3(")),
            Case("decode base", "has 30 lines", edit=write("test.en", b"One.\n")),
            Case("decode base", "none.de", (f"decode.0.source={folder}/none.de",)),
            Case("encode", "run 'knnseq partition' first", ranks=2),
            Case("train", "run 'knnseq partition' first"), Case("add", "run 'knnseq partition' first"),
            Case("decode knn", "run 'knnseq partition' first"), Case("export", "run 'knnseq partition' first"),
            Case("evaluate", "run 'knnseq decode base' first"), Case("verify", "run 'knnseq partition' first"),
            Case("append", "no 'append' items"), Case("decode none", "no 'decode' item named 'none'"),
        ))

    def test_run_looks_at_everything_first(self):
        folder = self.folder
        text = self.run_stage("run", "--check")
        self.assertIn("all that the stages need is there: 700 sentence pairs, about 7,336 entries", text)
        self.assertFalse((folder / "run").exists())
        (folder / "latin.de").write_bytes("Ä\nB\nÖ\n".encode("latin-1"))
        (folder / "plain").write_text("no model")
        problems = {
            f"decode.0.source={folder}/tets.de": "tets.de: cannot be opened",
            "decode.1.reference=" + str(folder / "corpus.en"): "corpus.en has 700",
            f"append=[{{name: more, source: {folder}/latin.de, target: {folder}/corpus.en}}]":
                "latin.de:1: the text is not UTF-8, as 2 of its 3 lines show; it seems to be LATIN1",
            f"sweep={{source: {folder}/test.de, target: {folder}/test.en, indexes: ['IVF8,PQ7']}}":
                "sweep.indexes: index factory string 'IVF8,PQ7'",
            f"tune={{source: {folder}/valid.de, reference: {folder}/test.en}}": "valid.de: cannot be opened",
            "knn.nprobe=33": "33 is more than the index's 32 lists",
            "decode.1.policy=robust": "none.safetensors", "decode.1.network=none.safetensors": "none.safetensors",
            "postprocess='false'": "filter 'false': ended with exit status 1",
            f"knn.datastores=[{folder}/other]": "other/index: is not complete",
        }
        options = [word for setting in problems for word in ("--set", setting)]
        for ranks in (1, 3):
            text = self.run_stage("run", *options, ranks=ranks, code=2)
            lines = [line for line in text.splitlines() if line.startswith("  ")]
            for says in problems.values():
                self.assertEqual(sum(says in line for line in lines), 1, (says, text))
        self.assertEqual(self.tree(), {})
        misspelt = f"decode.0.source={folder}/tets.de"
        for ranks, options in ((2, ()), (1, ("--check",)), (1, ("--check=inputs",))):
            self.refused("run", "--set", misspelt, *options, says="tets.de: cannot be opened", ranks=ranks)
        self.refused("run", "--check=all of it", says="'all of it' is not all or inputs", ranks=1)
        self.refused("encode", "--check", says="is for run only", ranks=1)
        # A disk of a few megabytes.
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
            print("skipped: a full disk (needs the right to mount)")
            return
        small = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=4m none "$0" && exec "$@"', folder / "disk"]
        (folder / "disk").mkdir()
        done = subprocess.run(small + self.command(1, "run", "--set", f"run_dir={folder}/disk/run"),
                              capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"disk/run will need about 7\.\d MiB more than lies there, and .* has 4.0 MiB")

    def test_models(self):
        def model(change):
            return lambda test: change(test.copy_model())
        json_of = lambda name, change: model(lambda other: self.edit_json(other / name, change))
        first = lambda vocabulary: next(iter(vocabulary))
        self.check((
            Case("partition", "config.json", edit=model(lambda other: (other / "config.json").unlink())),
            Case("partition", "config.json", edit=model(lambda other: (other / "config.json").write_text("{"))),
            Case("partition", "vocab.json", edit=model(lambda other: (other / "vocab.json").unlink())),
            Case("partition", "vocab", edit=json_of("vocab.json", lambda v: v.update({first(v): 99_999_999}))),
            # What is printed neither reaches the terminal as a command nor makes a line of its own.
            Case("partition", r"'x\nknnseq: forged\x1b[31m' is out of range", edit=json_of(
                "vocab.json", lambda v: v.update({"x\nknnseq: forged\x1b[31m": 99_999_999}))),
            Case("partition", "vocab", edit=json_of("config.json", lambda c: c.update(vocab_size=100))),
            Case("partition", "source.spm", edit=model(lambda other: (other / "source.spm").write_bytes(b"x"))),
            Case("decode base", "model.safetensors", edit=model(lambda other: (other / "model.safetensors").unlink())),
            Case("decode base", "model.safetensors",
                 edit=model(lambda other: os.truncate(other / "model.safetensors", 5000))),
            Case("partition", "d_model", edit=json_of("config.json", lambda c: c.update(d_model="wide"))),
        ))

    def test_a_key_beyond_fp16_is_reported_with_its_sentence(self):
        other = self.copy_model()
        weights = bytearray((other / "model.safetensors").read_bytes())
        header_bytes = struct.unpack("<Q", weights[:8])[0]
        header = json.loads(weights[8:8 + header_bytes])
        name = sorted(n for n in header if n.endswith("encoder_attn_layer_norm.weight"))[-1]
        self.assertEqual(header[name]["dtype"], "F16")
        begin = 8 + header_bytes + header[name]["data_offsets"][0]
        weights[begin:begin + 2] = struct.pack("<e", 60000)  # times a number of variance 1
        (other / "model.safetensors").write_bytes(weights)
        self.run_stage("partition")
        line = self.refused("encode", says="key that is not finite in fp16 for line ")
        self.assertRegex(line, r"line \d+ of the corpus")
        self.assertFalse((self.folder / "run/datastore/manifest.json").exists())

    def test_a_built_datastore(self):
        for stage in ("partition", "encode", "train", "add"):
            self.run_stage(stage)
        self.run_stage("decode")
        manifest = lambda folder: self.folder / "run" / folder / "manifest.json"
        tokens = lambda test: test.edit_json(test.copy_model() / "vocab.json",
                                             lambda v: v.update({"▁Floridas": v.pop("▁Florida")}))
        def retrain(test):
            path = test.copy_model() / "model.safetensors"
            data = bytearray(path.read_bytes())
            data[-3] ^= 1
            path.write_bytes(data)
        self.check((
            Case("encode", "distributed over 1 shards, the config says 2", ("shards=2",), ranks=3),
            Case("partition", "shards: was 1, is 2", ("shards=2",)),
            Case("partition", "source: corpus.de has changed", edit=lambda test: test.put_line("corpus.de", 3, b"Anders."), ranks=2),
            Case("encode", 'key: was "ffn_in", is "ffn_out"', ("datastore.key=ffn_out",)),
            Case("encode", "layer: 77 does not exist: the decoder has 3 layers", ("datastore.layer=77",)),
            Case("encode", "model: model.safetensors has changed", edit=retrain, ranks=2),
            Case("encode", "tokenised for another", edit=tokens),
            Case("train", "sample: was 6000, is 5000", ("datastore.sample=5000",)),
            Case("train", "factory: was", ("index.factory=IVF32,PQ16",), ranks=2),
            Case("decode knn", "another model than", edit=retrain, ranks=2),
            Case("decode knn", "tokenised otherwise", edit=tokens),
            Case("decode knn", "33 is more than the index's 32 lists", ("knn.nprobe=33",), ranks=2),
            Case("decode knn", "knn.k 100000 is more than the datastore's", ("knn.k=100000",)),
            Case("decode knn", "keys are ffn_in", ("datastore.key=ffn_out",)),
            Case("decode knn", "knn.probing: hnsw needs", ("knn.probing=hnsw",)),
            Case("decode knn", "30 lines", (f"decode.1.reference={self.folder}/corpus.en",)),
            Case("decode knn", "lambda: was", ("knn.lambda=0.25",)),
            Case("decode knn", "is not complete", (f"knn.datastores=[{self.folder}]",)),
            Case("inspect", "no item of 'decode' is named 'x'", ("inspect.base=x",)),
            Case("inspect", "names a decoding without kNN", ("inspect.knn=base",)),
            Case("inspect", "inspect.line 31: the test set has 30 lines", ("inspect.line=31",)),
            Case("sweep", "sweep.source and sweep.target are required"),
            Case("sweep", "more than the datastore's", ("sweep.k=[9999]", f"sweep.source={self.folder}/test.de",
                                                       f"sweep.target={self.folder}/test.en")),
        ))
        for folder, stage in (("corpus", "encode"), ("datastore", "train"), ("index", "decode knn")):
            before = manifest(folder).read_text(encoding="utf-8")
            self.edit_json(manifest(folder), lambda m: m.update(version=m["version"] - 1))
            self.refused(stage, says="has version 3; this knnseq reads version 4", ranks=1)
            manifest(folder).write_text(before, encoding="utf-8")
        self.check_lock()
        self.check_read_only()

    def check_lock(self):
        lock = self.folder / "run" / "lock"
        with lock.open("a", encoding="utf-8") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.refused("encode", says="is in use by another job: it has not said which")
        now = int(time.time())
        holder = {"host": "node7", "pid": 4711, "job": "99", "since": now - 3700, "heartbeat": now - 3,
                  "restarts": 0, "process_start": 1, "process_space": "elsewhere", "token": "x"}
        lock.write_text(json.dumps(holder), encoding="utf-8")
        self.refused("encode", says="is in use by another job: process 4711 on node7 (job 99), for 1 h 1 min, "
                                    "last sign of life ")
        lock.write_text(json.dumps(holder | {"job": os.environ.get("SLURM_JOB_ID", "98")}), encoding="utf-8")
        environment = os.environ | {"SLURM_JOB_ID": "98", "SLURM_RESTART_COUNT": "1"}
        done = subprocess.run(self.command(1, "encode"), capture_output=True, text=True, timeout=60,
                              env=environment, stdin=subprocess.DEVNULL)
        self.assertIn("taking over the lock of process 4711 on node7 (job 98): Slurm has requeued", done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(lock.read_bytes(), b"")

    def check_read_only(self):
        """Root may write in spite of modes: a mount that is read-only is needed."""
        command = ["unshare", "--mount", "sh", "-c",
                   'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"', self.folder / "run"]
        if subprocess.run(command + ["true"], capture_output=True).returncode != 0:
            print("skipped: a read-only run directory (needs the right to mount)")
            return
        done = subprocess.run(command + self.command(2, "encode"), capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("run: cannot be written to (Read-only file system)", done.stderr)

    def test_bad_pairs_are_dropped_and_listed(self):
        english = (self.folder / "corpus.en").read_text(encoding="utf-8").splitlines()
        for name, number, line in (
                ("de", 4, b""), ("en", 11, " \u3000".encode()), ("de", 21, b"Wort " * 2000),
                ("en", 31, b"word " * 2_000_000), ("en", 41, b"an </s> end"), ("en", 51, b"\xff\xfe"),
                ("de", 61, b"a\0b"), ("de", 71, b"\r")):
            self.put_line(f"corpus.{name}", number, line)
        self.assertEqual(len(english), 700)
        text = self.run_stage("partition", ranks=3)
        self.assertIn("dropped 2 pairs: invalid text", text)
        dropped = (self.folder / "run" / "corpus" / "dropped.tsv").read_text(encoding="utf-8")
        self.assertEqual(dropped.splitlines(), [
            "4\tempty source", "11\tempty target", "21\tsource longer than the model's positions",
            "31\ttarget longer than the model's positions", "41\ttarget with a special token",
            "51\tinvalid text (not UTF-8, or with NUL)", "61\tinvalid text (not UTF-8, or with NUL)",
            "71\tempty source"])
        content = json.loads((self.folder / "run/corpus/manifest.json").read_text())["content"]
        self.assertEqual(content["sentences"], 692)
        self.assertEqual(sum(content["dropped"].values()), 8)

    def test_line_ends_of_other_systems_do_not_matter(self):
        self.run_stage("partition")
        before = self.digest("corpus/*.h5")
        for name in ("corpus.de", "corpus.en"):
            (self.folder / name).write_bytes(b"".join(line[:-1] + b"\r\n" for line in self.lines(name)))
        self.run_stage("partition", "--force")
        self.assertEqual(self.digest("corpus/*.h5"), before)

    def test_stages_that_do_not_fit_together(self):
        self.run_stage("partition", "--set", "shards=2")
        self.run_stage("encode", "--set", "shards=2")
        self.run_stage("partition", "--set", "shards=2", "--set", "corpus.max_tokens=900", "--force")
        self.refused("train", "--set", "shards=2", says="the corpus has changed since")

    def test_test_sets_keep_one_line_a_line(self):
        lines = (self.folder / "test.de").read_text(encoding="utf-8").splitlines()[:4]
        lines[1] = ""
        lines[2] = "Wort " * 900
        self.write_side("test.de", lines)
        self.write_side("test.en", ["a", "", "c", "d"])
        text = self.run_stage("decode base")
        self.assertIn("test.de:3", text)
        hypotheses = (self.folder / "run/decode/base/hyp.txt").read_text(encoding="utf-8").split("\n")
        self.assertEqual(len(hypotheses), 5)
        self.assertEqual(hypotheses[1], "")
        self.assertTrue(hypotheses[0] and hypotheses[2] and hypotheses[3])


if __name__ == "__main__":
    unittest.main()
