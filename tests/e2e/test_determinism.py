"""Results are the same bytes whatever the number of ranks, and translations whatever the shards."""
import re
import shutil
import unittest

import pipeline

DATASTORE = ("corpus/*", "datastore/*", "codebook/*", "index/*")
TRANSLATIONS = ("decode/*/nbest.jsonl", "decode/*/hyp.txt", "codebook/codebook.faiss")


class Determinism(pipeline.PipelineTest):
    def test_ranks_and_shards(self):
        translations = set()
        every = ((1, (1, 3)), (2, (1, 2, 4)), (5, (3, 2)))
        for shards, rank_counts in every if pipeline.FULL else ((1, (1,)), (2, (1, 4)), (5, (3,))):
            datastores = set()
            for ranks in rank_counts:
                run = f"s{shards}-p{ranks}"
                self.run_stage("run", "--set", f"run_dir={self.folder / run}", "--set",
                               f"shards={shards}", ranks=ranks)
                datastores.add(self.digest(*DATASTORE, run=run))
                translations.add(self.digest(*TRANSLATIONS, run=run))
            self.assertEqual(len(datastores), 1, f"{shards} shards")
        self.assertEqual(len(translations), 1)

    def test_copies_of_the_index(self):
        """Wherever it lies: spread over the ranks, once a node, in each rank's own memory."""
        shards = ("--set", "shards=3")
        for stage in ("partition", "encode", "train", "add"):
            self.run_stage(stage, *shards, ranks=3)
        translations = set()
        for copies, rank_counts in (("job", (1, 2, 4)), ("node", (2, 3, 4)), ("device", (1, 3)), ("auto", (2,))):
            for ranks in rank_counts:
                text = self.run_stage("decode knn", *shards, "--force", "--set", f"knn.copies={copies}",
                                      ranks=ranks)
                used = "node" if copies == "auto" else copies
                self.assertIn(f"one copy of the index a {used}: ", text)
                self.assertIn(f"a {'node' if used == 'node' else 'rank'}\n", text)
                self.assertNotIn("get no block", text)
                translations.add(self.digest("decode/knn/nbest.jsonl", "decode/knn/hyp.txt"))
        self.assertEqual(len(translations), 1)
        int8 = set()
        for copies, ranks in (("job", 2), ("node", 3)):
            self.run_stage("decode knn", *shards, "--force", "--set", f"knn.copies={copies}", "--set",
                           "beam_search.dtype=int8", ranks=ranks)
            int8.add(self.digest("decode/knn/nbest.jsonl", "decode/knn/hyp.txt"))
        self.assertEqual(len(int8), 1)
        self.assertFalse(int8 & translations)
        text = self.run_stage("decode knn", *shards, "--force", "--set", "decode.1.block_sentences=20", ranks=4)
        self.assertIn("2 of 4 ranks get no block of sentences: beam_search.block_sentences is 20; with 7 it is 0", text)
        self.run_stage("decode knn", *shards, "--force")
        # An index is loaded once for several test sets, and searched as each asks.
        sets = ", ".join(f"{{name: {name}, source: {self.folder}/test.de, block_sentences: 6, nprobe: {nprobe}}}"
                         for name, nprobe in (("one", 1), ("four", 4)))
        text = self.run_stage("decode", *shards, "--set", f"decode=[{sets}]", ranks=2)
        self.assertEqual(len(re.findall(r"searching [\d,]+ entries", text)), 1, text)
        self.assertEqual(text.count("one copy of the index"), 1, text)  # chosen when it is loaded
        self.assertEqual(self.digests("decode/four/hyp.txt")["decode/four/hyp.txt"],
                         self.digests("decode/knn/hyp.txt")["decode/knn/hyp.txt"])
        self.assertNotEqual(self.digests("decode/one/nbest.jsonl")["decode/one/nbest.jsonl"],
                            self.digests("decode/four/nbest.jsonl")["decode/four/nbest.jsonl"])
        refused = ("--set", "knn.copies=node", "--set", "knn.backend=faiss")
        self.assertIn("knn.copies: node is for PQ", self.run_stage("decode knn", *shards, "--force", *refused, code=2))

    def test_copies_without_lists(self):
        """Flat and PQ lie in a node's memory as lists of codes do; what faiss holds does not."""
        for stage in ("partition", "encode"):
            self.run_stage(stage, "--set", "shards=3", ranks=3)
        every = (("job", (1, 2, 3)), ("node", (1, 2, 3)), ("device", (1, 2, 3)), ("nodes", (2,)), ("auto", (2,)))
        some = (("job", (1, 3)), ("node", (2, 3)), ("device", (2,)), ("auto", (2,)))
        found = set()
        for factory in ("Flat", "OPQ16_64,PQ16"):
            options = ("--set", "shards=3", "--force", "--set", f"index.factory={factory}")
            for stage in ("train", "add"):
                self.run_stage(stage, *options, ranks=3)
            translations = set()
            for copies, rank_counts in every if pipeline.FULL else some:
                for ranks in rank_counts:
                    text = self.run_stage("decode knn", *options, "--set", f"knn.copies={copies}", ranks=ranks)
                    used = "node" if copies == "auto" else copies
                    self.assertRegex(text, f"one copy of the index (a|over all) {used}: ")
                    self.assertIn(f"a {'node' if used.startswith('node') else 'rank'}\n", text)
                    translations.add(self.digest("decode/knn/nbest.jsonl", "decode/knn/hyp.txt"))
            self.assertEqual(len(translations), 1, factory)
            found |= translations
            self.assertIn("knn.copies: node is for PQ", self.run_stage(
                "decode knn", *options, "--set", "knn.copies=node", "--set", "knn.backend=faiss", code=2))
        self.assertEqual(len(found), 2)  # neighbours decide what is written
        graph = ("--set", "shards=3", "--force", "--set", "index.factory=HNSW16")
        for stage in ("train", "add"):
            self.run_stage(stage, *graph)
        self.assertRegex(self.run_stage("decode knn", *graph), "one copy of the index a job: faiss keeps such an index")
        self.assertIn("knn.copies: nodes is for PQ",
                      self.run_stage("decode knn", *graph, "--set", "knn.copies=nodes", code=2))

    def test_a_sample_is_the_same_written_aside_or_found_later(self):
        two = ("--set", "shards=2")
        for stage in ("partition", "encode"):
            self.run_stage(stage, *two)
        for size, seed, found, ranks in ((3000, 1, False, 1), (5000, 7, True, 3)):
            wanted = (*two, "--set", f"datastore.sample={size}", "--set", f"datastore.seed={seed}")
            run = f"{size}-{seed}"
            for stage in ("partition", "encode", "train"):
                text = self.run_stage(stage, *wanted, "--set", f"run_dir={self.folder / run}")
                self.assertNotIn("reading all keys", text)
            self.assertIn("already done", self.run_stage("encode", *wanted))
            text = self.run_stage("train", *wanted, ranks=ranks)
            self.assertEqual("reading all keys" in text, found, text)
            self.assertEqual(self.digest("codebook/*"), self.digest("codebook/*", run=run))
            self.assertIn(f"sample: was {size}, is 6000", self.run_stage("train", *two, code=2))
            shutil.rmtree(self.folder / "run" / "codebook")

    def test_more_ranks_than_anything_to_do(self):
        """One batch for three shards, one block, four ranks."""
        for name in ("corpus.de", "corpus.en"):
            lines = (self.folder / name).read_text(encoding="utf-8").splitlines()[:60]
            self.write_side(name, lines)
        for name in ("test.de", "test.en"):
            self.write_side(name, (self.folder / name).read_text(encoding="utf-8").splitlines()[:2])
        small = ("--set", "index.factory=IVF2,PQ16", "--set", "knn.nprobe=2", "--set", "knn.k=4",
                 "--set", "shards=3", "--set", "corpus.max_tokens=100000")
        one = self.run_stage("run", *small, ranks=1)
        before = self.digest("decode/*/nbest.jsonl")
        self.run_stage("run", *small, "--set", f"run_dir={self.folder}/again", ranks=4)
        self.assertEqual(self.digest("decode/*/nbest.jsonl", run="again"), before, one)


if __name__ == "__main__":
    unittest.main()
