"""Bad input is refused in one line on standard error, with exit code 2 and nothing half-written."""
import fcntl
import gzip
import shutil
import unittest

import pipeline


class BadInput(pipeline.PipelineTest):
    def refused(self, stage, *options, says):
        text = self.run_stage(stage, *options, code=2)
        lines = [line for line in text.splitlines() if line.startswith("knnseq")]
        self.assertEqual(len(lines), 1, text)  # one message for all ranks
        self.assertIn(says, lines[0])

    def test_config(self):
        self.refused("partition", "--set", "knn.kk=3", says="unknown key 'knn.kk' (did you mean 'knn.k'?)")
        self.refused("partition", "--set", "shards=0", says="shards: 0 must lie in 1 to")
        self.refused("partition", "--set", "model=/nowhere", says="/nowhere")
        self.refused("partition", "--set", "index.factory=Flat,PQ", says="Flat,PQ")
        self.refused("partition", "--set", "index.factory=IVF8,PQ7", says="7")
        self.refused("encode", says="run 'knnseq partition' first")
        self.refused("decode none", says="'none'")
        self.refused("partition", "--set", "knn.nprobe=33", says="33 is more than the index's 32 lists")
        self.refused("partition", "--set", "datastore.sample=100", says="needs at least 256 training vectors")
        self.refused("partition", "--set", "evaluate.language=zh", says="zh")
        self.assertFalse((self.folder / "run" / "corpus" / "manifest.json").exists())

    def test_corpus(self):
        self.refused("partition", "--set", f"corpus.source={self.folder}/none.de", says="none.de")
        (self.folder / "short.en").write_text("One line.\n", encoding="utf-8")
        self.refused("partition", "--set", f"corpus.target={self.folder}/short.en",
                     says="different numbers of lines: 700 and 1")
        (self.folder / "empty.de").write_bytes(b"")
        self.refused("partition", "--set", f"corpus.source={self.folder}/empty.de", "--set",
                     f"corpus.target={self.folder}/empty.de", says="no usable sentence pair")
        (self.folder / "bad.de").write_bytes(gzip.compress(b"Ein Satz.\n" * 700)[:-9])
        self.refused("partition", "--set", f"corpus.source={self.folder}/bad.de", says="bad.de")

    def test_bad_pairs_are_dropped_and_listed_or_stop(self):
        german = (self.folder / "corpus.de").read_text(encoding="utf-8").splitlines()
        english = (self.folder / "corpus.en").read_text(encoding="utf-8").splitlines()
        german[3] = ""
        english[10] = " \u3000"
        german[20] = "Wort " * 2000
        english[30] = "word " * 2_000_000
        english[40] = "an </s> end"
        self.write_side("corpus.de", german)
        data = "".join(line + "\n" for line in english).encode()
        (self.folder / "corpus.en").write_bytes(data.replace(english[50].encode() + b"\n", b"\xff\xfe\n"))
        self.refused("partition", "--set", "corpus.bad_pairs=stop", says="corpus.de:4: empty source")
        self.run_stage("partition", ranks=3)
        dropped = (self.folder / "run" / "corpus" / "dropped.tsv").read_text(encoding="utf-8")
        self.assertEqual(dropped.splitlines(), [
            "4\tempty source", "11\tempty target", "21\tsource longer than the model's positions",
            "31\ttarget longer than the model's positions", "41\ttarget with a special token",
            "51\tinvalid text (not UTF-8, or with NUL)"])

    def test_search_settings(self):
        for stage in ("partition", "encode", "train", "add"):
            self.run_stage(stage)
        self.refused("decode knn", "--set", "knn.nprobe=33", says="33 is more than the index's 32 lists")
        self.refused("decode knn", "--set", "knn.k=100000", says="more than the datastore's")
        self.refused("decode knn", "--set", "datastore.key=ffn_out", says="keys are ffn_in")
        self.refused("decode knn", "--set", f"decode.1.reference={self.folder}/corpus.en",
                     says="30 lines")

    def test_stages_that_do_not_fit_together(self):
        self.run_stage("partition", "--set", "shards=2")
        self.refused("encode", says="dealt to 2 shards, the config says 1")
        other = self.folder / "model"
        shutil.copytree(pipeline.MODEL, other)
        vocabulary = (other / "vocab.json").read_text(encoding="utf-8")
        (other / "vocab.json").write_text(vocabulary.replace("▁Florida", "▁Floridas"), encoding="utf-8")
        self.refused("encode", "--set", "shards=2", "--set", f"model={other}", says="tokenised for another")
        self.run_stage("encode", "--set", "shards=2")
        self.run_stage("partition", "--set", "shards=2", "--set", "corpus.max_tokens=900", "--force")
        self.refused("train", "--set", "shards=2", says="the corpus has changed since")

    def test_only_one_command_at_a_time(self):
        self.run_stage("partition")
        with (self.folder / "run" / "lock").open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.refused("encode", says="is in use by another job")

    def test_a_changed_byte_is_seen_before_use(self):
        for stage in ("partition", "encode"):
            self.run_stage(stage)
        self.flip("datastore/shard-00000.h5", at=0.5)
        self.refused("train", "--set", "datastore.seed=2", says="'keys' is damaged from row")
        self.run_stage("train")  # reads the sample, which is elsewhere in the file
        self.refused("add", says="'keys' is damaged from row")
        self.run_stage("encode", "--force")
        self.run_stage("train")
        self.run_stage("add")
        self.flip("index/shard-00000.faiss", at=0.9)
        self.refused("decode knn", says="shard-00000.faiss: is damaged")
        self.flip("corpus/shard-00000.h5", at=0.5)
        self.refused("add", "--force", says="is damaged")

    def flip(self, name, at):
        path = self.folder / "run" / name
        data = bytearray(path.read_bytes())
        data[int(len(data) * at)] ^= 1
        path.write_bytes(data)

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
