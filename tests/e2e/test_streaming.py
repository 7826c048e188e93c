"""datastore.store: none makes the same index without keeping keys."""
import shutil
import signal
import unittest

import pipeline

RESULTS = ("codebook/codebook.faiss", "index/*.faiss", "decode/*/nbest.jsonl", "decode/*/hyp.txt")
WHOLE = ("corpus/*", "datastore/*", "codebook/*", "index/*")
SAMPLE = ("--set", "datastore.sample=2500")
STREAMED = (*SAMPLE, "--set", "datastore.store=none")
STORED = (*SAMPLE, "--set", "datastore.sample_unit=batch", "--set", "datastore.sentence_keys=false")


class Streaming(pipeline.PipelineTest):
    def at(self, run):
        return ("--set", f"run_dir={self.folder / run}")

    def bytes_of(self, run):
        return sum(path.stat().st_size for path in (self.folder / run / "datastore").iterdir())

    def datasets(self, run):
        """Names of datasets that stand in the datastore's files."""
        names = (b"keys", b"sample_keys", b"sample_entries", b"values", b"sentence_keys", b"line_numbers")
        files = [path.read_bytes() for path in (self.folder / run / "datastore").glob("*.h5")]
        return {name.decode() for name in names if any(b"\0" + name + b"\0" in file for file in files)}

    def repeat_corpus(self):
        """The corpus again and again, so that there are several units."""
        for name in ("corpus.de", "corpus.en"):
            text = (self.folder / name).read_text(encoding="utf-8")
            (self.folder / name).write_text(text * 14, encoding="utf-8")

    def refused(self, stage, *options, says):
        text = self.run_stage(stage, *options, ranks=2, code=2)
        self.assertEqual(len([line for line in text.splitlines() if line.startswith("knnseq")]), 1, text)
        self.assertIn(says, text)

    def test_same_bytes_as_with_stored_keys(self):
        for shards in pipeline.some((3, 1)):
            cut = ("--set", f"shards={shards}")
            self.run_stage("run", *cut, *STORED, *self.at(f"stored-{shards}"))
            wanted = self.digests(*RESULTS, run=f"stored-{shards}")
            self.assertEqual(len(wanted), 1 + shards + 4)
            for ranks in (1, 2):
                run = f"streamed-{shards}-{ranks}"
                self.run_stage("run", *cut, *STREAMED, *self.at(run), ranks=ranks)
                self.assertEqual(self.digests(*RESULTS, run=run), wanted)
                self.assertLess(self.bytes_of(run), 0.6 * self.bytes_of(f"stored-{shards}"))
                self.assertEqual(self.datasets(run),
                                 {"sample_keys", "sample_entries", "values", "line_numbers"})
            self.assertEqual(self.datasets(f"stored-{shards}") - self.datasets(run), {"keys"})
        self.assertEqual(self.digest(*WHOLE, run="streamed-3-1"), self.digest(*WHOLE, run="streamed-3-2"))

    def test_same_bytes_with_a_sample_of_entries(self):
        entries = ("--set", "datastore.sample_unit=entry", "--set", "datastore.sentence_keys=false")
        self.run_stage("run", *SAMPLE, *entries, *self.at("stored"))
        self.run_stage("run", *STREAMED, *entries)
        self.assertEqual(self.digest(*RESULTS), self.digest(*RESULTS, run="stored"))
        self.run_stage("run", *STREAMED, *self.at("batches"))
        self.assertNotEqual(self.digest("codebook/codebook.faiss"),
                            self.digest("codebook/codebook.faiss", run="batches"))

    def test_interrupted_and_resumed_with_other_ranks(self):
        self.repeat_corpus()
        for stage in ("partition", "encode", "train", "add"):
            self.run_stage(stage, *STREAMED, *self.at("whole"))
            self.run_stage(stage, *STORED, *self.at("stored"))
        self.assertEqual(self.digest("index/*.faiss", run="whole"),
                         self.digest("index/*.faiss", run="stored"))
        run = self.folder / "run"

        def committed(folder):
            return lambda: any(path.stat().st_size > 0 for path in run.glob(f"{folder}/*.journal.*"))

        self.run_stage("partition", *STREAMED)
        self.run_stage("encode", *STREAMED)
        self.run_stage("train", *STREAMED)
        for number, ranks, code in ((signal.SIGKILL, 2, None), (signal.SIGUSR1, 1, 75)):
            shutil.rmtree(run / "index", ignore_errors=True)
            ended = self.start_and_signal("add", *STREAMED, ranks=ranks, number=number,
                                          when=committed("index"))
            self.assertNotEqual(ended, 0)
            self.assertTrue(committed("index")())
            if code is not None:
                self.assertEqual(ended, code)
            self.assertIn("going on where", self.run_stage("add", *STREAMED, ranks=3 - ranks))
            self.assertEqual(self.digest(*WHOLE), self.digest(*WHOLE, run="whole"))
            self.assertEqual(self.leftovers(), [])
        self.assertIn("already done", self.run_stage("add", *STREAMED))

    def test_other_stages_work_or_say_what_they_need(self):
        self.run_stage("run", *STREAMED)
        for stage in ("inspect", "export", "verify"):
            self.run_stage(stage, *STREAMED)
        self.run_stage("append", *STREAMED, "--set",
                       f"append=[{{name: more, source: {self.folder}/test.de, target: {self.folder}/test.en}}]")
        text = ("--set", f"sweep.source={self.folder}/test.de", "--set",
                f"sweep.target={self.folder}/test.en")
        self.refused("sweep", *STREAMED, *text, says="make it with datastore.store: keys")
        self.refused("subset", *STREAMED, says="make it with datastore.store: keys")
        before = self.digest(*WHOLE)
        # Another sample than encode stored cannot be found later; a smaller one can.
        shutil.rmtree(self.folder / "run" / "codebook")
        self.refused("train", *STREAMED, "--set", "datastore.seed=5",
                     says="does not hold the training sample: it is 2,500 entries of seed 5")
        self.refused("train", *STREAMED, "--set", "datastore.sample_unit=entry", says="--force")
        self.run_stage("train", *STREAMED)
        self.assertEqual(self.digest(*WHOLE), before)

    def test_a_smaller_sample_is_found_in_the_larger_one(self):
        for run, sizes in (("run", (2500, 900)), ("other", (900, 900))):
            for stage, size in (("partition", 900), ("encode", sizes[0]), ("train", sizes[1])):
                self.run_stage(stage, *STREAMED, "--set", f"datastore.sample={size}", *self.at(run))
        self.assertEqual(self.digest("codebook/*"), self.digest("codebook/*", run="other"))
        # If keys are stored, batches of another seed are found too.
        for run, seed in (("stored", 1), ("seed", 8)):
            for stage in ("partition", "encode"):
                self.run_stage(stage, *STORED, "--set", f"datastore.seed={seed}", *self.at(run))
            text = self.run_stage("train", *STORED, "--set", "datastore.seed=8", *self.at(run))
            self.assertEqual("reading all keys" in text, seed != 8, text)
        self.assertEqual(self.digest("codebook/*", run="stored"), self.digest("codebook/*", run="seed"))

    def test_what_changed_between_encode_and_add_is_refused(self):
        for stage in ("partition", "encode", "train"):
            self.run_stage(stage, *STREAMED)
        before = self.digest("datastore/*", "codebook/*")
        model = self.folder / "model"
        shutil.copytree(pipeline.MODEL, model)
        weights = model / "model.safetensors"
        damaged = bytearray(weights.read_bytes())
        damaged[-1] ^= 1
        weights.write_bytes(damaged)
        self.refused("add", *STREAMED, "--set", f"model={model}", "--set",
                     f"tokenizer={pipeline.MODEL}",
                     says="datastore: was made from other inputs: model: model.safetensors has changed")
        self.refused("add", *STREAMED, "--set", "threads=2", says="threads: was 1, is 2")
        self.refused("add", *STREAMED, "--set", "datastore.key=ffn_out", says='key: was "ffn_in"')
        self.refused("add", *SAMPLE, says='store: was "none", is "keys"')
        self.assertFalse((self.folder / "run" / "index").exists())
        self.assertEqual(self.digest("datastore/*", "codebook/*"), before)
        self.run_stage("add", *STREAMED)
        self.refused("encode", *SAMPLE, says='store: was "none", is "keys"')


if __name__ == "__main__":
    unittest.main()
