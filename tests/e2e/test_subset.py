"""Subset kNN-MT, from the sentence index and the codes to translations."""
import json
import shutil
import unittest

import pipeline

SUBSET = """
subset: {{sentences: 40, index: "IVF8,Flat", nprobe: 4, sample: 500, codes: "OPQ16_64,PQ16"}}
"""
ITEM = """  - {{name: subset, source: {folder}/test.de, reference: {folder}/test.en, block_sentences: 6,
     mode: subset}}
"""
BUILT = ("subset/*/*",)
ENCODER = pipeline.ROOT / "tests" / "data" / "sentence_encoder" / "model.pt"


class Subset(pipeline.PipelineTest):
    def setUp(self):
        super().setUp()
        text = self.config.read_text(encoding="utf-8")
        text = text.replace("evaluate:", ITEM.format(folder=self.folder) + "evaluate:")
        self.config.write_text(text + SUBSET.format(), encoding="utf-8")

    def encode(self, *options):
        for stage in ("partition", "encode"):
            self.run_stage(stage, *options)

    def events(self, name):
        log = (self.folder / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()
        return [event for event in map(json.loads, log) if event["event"] == name]

    def nbest(self, decoding, run="run"):
        lines = (self.folder / run / "decode" / decoding / "nbest.jsonl").read_text(encoding="utf-8")
        return [json.loads(line)["nbest"][0] for line in lines.splitlines()]

    def test_translations_do_not_depend_on_ranks_and_shards(self):
        for encoder in ("mean", "bm25", "tfidf", "torchscript"):
            translations, codebooks = set(), set()
            for shards, rank_counts in ((1, (1, 3)), (3, (2, 4))):
                common = ("--set", f"shards={shards}", "--set", f"subset.encoder={encoder}",
                          "--set", f"run_dir={self.folder}/s{shards}")
                if encoder == "torchscript":
                    common += ("--set", f"subset.model={ENCODER}", "--set", "subset.index=PCAW6,Flat")
                if encoder == "mean":
                    self.encode(*common)
                built = set()
                for ranks in rank_counts if encoder == "mean" else pipeline.some(rank_counts):
                    with self.subTest(encoder=encoder, shards=shards, ranks=ranks):
                        self.run_stage("subset", "--force", *common, ranks=ranks)
                        for copies in ("job", "node") if ranks > 1 else ("job",):
                            printed = self.run_stage("decode subset", "--force", *common, "--set",
                                                     f"knn.copies={copies}", ranks=ranks)
                            self.assertIn(f"subsets of 40 sentences by {encoder}", printed)
                            self.assertIn(f"one copy of the subsets' codes a {copies}: ", printed)
                            own = copies == "node" and encoder == "mean"  # IVF8,Flat lies in faiss's memory
                            self.assertEqual("each rank has an index of sentences" in printed, own)
                            translations.add(self.digest("decode/subset/nbest.jsonl", run=f"s{shards}"))
                        codebooks.add(self.digest("subset/*/codebook.faiss", run=f"s{shards}"))
                        built.add(self.digest(*BUILT, run=f"s{shards}"))
                self.assertEqual(len(built), 1)
            self.assertEqual(len(translations), 1)
            self.assertEqual(len(codebooks), 1)

    def test_copies_of_all_that_subsets_are_made_of(self):
        """Also with an index of sentences that the ranks of a node share, and of more ranks than shards."""
        common = ("--set", "shards=2", "--set", "subset.index=IVF8,PQ16")
        self.encode(*common)
        self.run_stage("subset", *common)
        subset, memory = "decode.2.mode=subset", "decode.2.mode=memory"
        found = {subset: set(), memory: set()}
        for copies, ranks, modes in (("job", 1, (subset, memory)), ("node", 3, (subset, memory)),
                                     ("device", 2, pipeline.some((subset, memory))), ("auto", 4, (subset,)),
                                     ("nodes", 4, pipeline.some((memory, subset)))):
            for mode in modes:
                with self.subTest(copies=copies, ranks=ranks, mode=mode):
                    printed = self.run_stage("decode subset", "--force", *common, "--set", mode, "--set",
                                             f"knn.copies={copies}", ranks=ranks)
                    used = {"auto": "node", "nodes": "job"}.get(copies, copies)
                    self.assertIn(f"one copy of the subsets' codes a {used}: ", printed)
                    self.assertRegex(printed, f"codes and values: .* a {'node' if used == 'node' else 'rank'}\n")
                    found[mode].add(self.digest("decode/subset/nbest.jsonl", "decode/subset/hyp.txt"))
        self.assertEqual([len(made) for made in found.values()], [1, 1])

    def test_a_subset_of_everything_is_plain_knn_without_lists(self):
        all_sentences = ("--set", "subset.sentences=700", "--set", "subset.index=Flat",
                         "--set", "index.factory=OPQ16_64,PQ16")
        printed = self.run_stage("run", *all_sentences)
        self.assertIn("subset-train-codes", printed)
        self.assertIn("subset kNN: k 16, T 20, lambda 0.6, sentences 700 by mean", printed)
        plain, subset = self.nbest("knn"), self.nbest("subset")
        # faiss adds up an entry's distance in another order.
        same = [a["tokens"] == b["tokens"] and abs(a["score"] - b["score"]) < 1e-3
                for a, b in zip(plain, subset)]
        self.assertGreaterEqual(sum(same), 29)
        shown = self.run_stage("inspect", *all_sentences, "--set", "inspect.knn=subset", ranks=3)
        self.assertIn("its nearest of k = 16 neighbours", shown)
        # Items of the same subset load it once.
        both = self.run_stage("decode", "--force", *all_sentences, "--set", "decode.1.mode=subset")
        self.assertEqual(both.count("codes and values"), 1, both)
        self.assertEqual(self.nbest("subset"), self.nbest("knn"))
        few = self.run_stage("decode subset", *all_sentences, "--set", "subset.sentences=1",
                             "--force")
        self.assertIn("subsets of 1 sentences", few)
        self.assertNotEqual([n["tokens"] for n in self.nbest("subset")], [n["tokens"] for n in plain])

    def test_a_translation_memory_gives_the_target_of_the_nearest_source(self):
        self.encode("--set", "subset.index=Flat")
        self.run_stage("subset", "--set", "subset.index=Flat")
        memory = ("--set", "subset.index=Flat", "--set", "decode.2.mode=memory")
        self.run_stage("decode subset", *memory, ranks=1)
        one = self.digest("decode/subset/*")
        made = (self.folder / "run/decode/subset/hyp.txt").read_text(encoding="utf-8").splitlines()
        right = (self.folder / "test.en").read_text(encoding="utf-8").splitlines()
        same = [a == b for a, b in zip(made, right)]
        self.assertGreaterEqual(sum(same[:15]), 14)  # these stand in the datastore
        self.assertLess(sum(same[15:]), 8)
        for copies in ("job", "node"):
            self.run_stage("decode subset", *memory, "--force", "--set", f"knn.copies={copies}", ranks=3)
            self.assertEqual(self.digest("decode/subset/*"), one)

    def test_tuning_finds_the_same_settings_for_any_number_of_ranks(self):
        self.encode()
        self.run_stage("subset")
        tune = ("--set", f"tune.source={self.folder}/test.de",
                "--set", f"tune.reference={self.folder}/test.en", "--set", "tune.mode=subset",
                "--set", "tune.sentences=[1, 40]", "--set", "tune.k=[2, 8]",
                "--set", "tune.lambda=[0.4, 0.7]", "--set", "tune.candidates=1",
                "--set", "tune.policies=[fixed, robust]")
        self.assertIn("| sentences |", self.run_stage("tune", *tune, ranks=1))
        found = self.digest("tune-subset/*.*", "tune-subset/likelihoods/likelihoods.json")
        self.assertIn("subset:\n  sentences: ", (self.folder / "run/tune-subset/tuned.yaml").read_text())
        shutil.rmtree(self.folder / "run/tune-subset")
        self.run_stage("tune", *tune, ranks=3)
        self.assertEqual(
            self.digest("tune-subset/*.*", "tune-subset/likelihoods/likelihoods.json"), found)

    def test_killed_in_each_step_and_resumed_with_other_ranks(self):
        for name in ("corpus.de", "corpus.en"):  # several units
            text = (self.folder / name).read_text(encoding="utf-8")
            (self.folder / name).write_text(text * 14, encoding="utf-8")
        # Many iterations, so that there is a moment to kill training at.
        slow = ("--set", "index.pq_iterations=60", "--set", "index.coarse_iterations=60",
                "--set", "index.opq_tolerance=0", "--set", "subset.sample=9000")
        self.encode()
        run, whole = self.folder / "run", self.folder / "whole"
        for stage in ("partition", "encode", "subset"):
            self.run_stage(stage, *slow, "--set", f"run_dir={whole}")

        def some(pattern):
            return lambda: any(p.stat().st_size > 0 for p in run.glob(pattern))

        moments = ("sentence-codebook/checkpoint", "sentence-index/*.journal.*",
                   "codebook/checkpoint", "codes/*.journal.*")
        ranks = 3
        for moment in pipeline.some(moments):
            ranks = ranks % 3 + 1
            with self.subTest(moment=moment, ranks=ranks):
                self.start_and_signal("subset", *slow, ranks=ranks, when=some("subset/" + moment))
        self.run_stage("subset", *slow, ranks=3)
        self.assertEqual(self.digest(*BUILT), self.digest(*BUILT, run="whole"))
        self.assertEqual(self.leftovers(), [])
        resumed = {event["stage"] for event in self.events("stage_begin") if event["resumed"]}
        self.assertGreaterEqual(resumed, set(pipeline.some(["subset-train-sentences", "subset-code",
                                                            "subset-train-codes"])))
        self.assertEqual(self.run_stage("subset", *slow, ranks=1).count("already done"), 4)
        self.start_and_signal("decode subset", *slow, ranks=2,
                              when=some("decode/subset/*.journal.*"))
        self.run_stage("decode subset", *slow, ranks=3)
        self.run_stage("decode subset", *slow, "--set", f"run_dir={whole}")
        self.assertEqual(self.digest("decode/subset/*"), self.digest("decode/subset/*", run="whole"))

    def test_what_does_not_fit_is_refused_by_name(self):
        self.encode()
        self.assertIn("run 'knnseq subset' first", self.run_stage("decode subset", code=2))
        for option, message in (
                ("subset.codes=IVF8,PQ16", "codes for subsets have no lists"),
                ("subset.codes=PQ17", "PQ17"),
                ("subset.encoder=max", "subset.encoder"),
                ("subset.encoder=torchscript", "subset.model: is required"),
                (f"subset.model={ENCODER}", "has no effect: encoder is mean"),
                ("subset.index=PCAW300,Flat", "widen"),
                ("subset.sentences=0", "subset.sentences"),
                ("decode.2.datastores=[other]", "modes subset and memory search this run's own"),
                (f"append=[{{name: more, source: {self.folder}/corpus.de, "
                 f"target: {self.folder}/corpus.en}}]", "run 'knnseq append more' first")):
            with self.subTest(option=option):
                self.assertIn(message, self.run_stage("subset", "--set", option, code=2))
        self.run_stage("subset")
        self.assertIn("subset.nprobe 9 is more than the sentence index's 8 lists",
                      self.run_stage("decode subset", "--set", "subset.nprobe=9", code=2))
        self.assertIn("factory: was", self.run_stage("subset", "--set", "subset.codes=PQ16", code=2))
        damaged = next((self.folder / "run/subset/codes").glob("*.h5"))
        with damaged.open("r+b") as file:
            file.seek(damaged.stat().st_size // 2)
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 255]))
        self.assertIn("checksum", self.run_stage("decode subset", code=2))
        no_keys = ("--set", "datastore.sentence_keys=false", "--set", f"run_dir={self.folder}/none")
        self.encode(*no_keys)
        self.assertIn("subset.encoder: mean needs", self.run_stage("subset", *no_keys, code=2))
        self.run_stage("subset", *no_keys, "--set", "subset.encoder=bm25")


if __name__ == "__main__":
    unittest.main()
