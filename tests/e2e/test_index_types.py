"""Every index type and metric, from training to translations: what is found does not depend on ranks."""
import unittest

import pipeline

# Type, metric, and a temperature for the scale of its scores.
TYPES = [("Flat", "l2", 20), ("PCA64,Flat", "cos", 0.02), ("OPQ16_64,IVF32,PQ16", "cos", 0.02), ("PQ16", "l2", 20),
         ("IVF32,Flat", "ip", 20), ("OPQ16_64,PQ16", "ip", 20), ("HNSW16", "l2", 20),
         ("IVF32_HNSW8,PQ16", "l2", 20), ("PQ32x4fs", "l2", 20)]


class IndexTypeTest(pipeline.PipelineTest):
    def build(self, factory, metric, temperature, ranks):
        """Trains, adds and translates with this index; returns the translations."""
        options = ["--force", "--set", f"index.factory={factory}", "--set", f"index.metric={metric}",
                   "--set", f"knn.temperature={temperature}", "--set", "knn.lambda=0.8"]
        if "HNSW8" in factory:
            options += ["--set", "knn.probing=hnsw"]
        for stage in ("train", "add", "decode knn"):
            self.run_stage(stage, *options, ranks=ranks)
        return (self.folder / "run/decode/knn/hyp.txt").read_text(encoding="utf-8").splitlines()

    def test_every_type_finds_sentences_of_the_corpus_with_any_number_of_ranks(self):
        self.config.write_text(self.config.read_text().replace("run_dir", "shards: 2\nrun_dir"))
        for stage in ("partition", "encode", "decode base"):
            self.run_stage(stage)
        references = (self.folder / "test.en").read_text(encoding="utf-8").splitlines()

        def right(translations):  # of the half whose sentences stand in the datastore
            return sum(a == b for a, b in zip(translations[:15], references))

        alone = right((self.folder / "run/decode/base/hyp.txt").read_text().splitlines())
        for factory, metric, temperature in pipeline.some(TYPES):
            with self.subTest(factory=factory, metric=metric):
                translations = self.build(factory, metric, temperature, ranks=1)
                self.assertGreaterEqual(right(translations), alone + 4)
                made = self.digest("codebook/codebook.faiss", "index/*.faiss", "decode/knn/nbest.jsonl")
                self.build(factory, metric, temperature, ranks=3)
                again = self.digest("codebook/codebook.faiss", "index/*.faiss", "decode/knn/nbest.jsonl")
                self.assertEqual(made, again)

    def test_repeated_sentences_under_a_graph_are_counted(self):
        for side in ("corpus.de", "corpus.en"):
            lines = (self.folder / side).read_text(encoding="utf-8").splitlines()
            self.write_side(side, lines + lines[:1] * 60)
        graph = ("--set", "index.factory=HNSW4")
        for stage in ("partition", "encode", "train"):
            self.run_stage(stage, *graph, ranks=1)
        for stage, ranks in (("add", 2), ("export", 1)):
            text = self.run_stage(stage, *graph, ranks=ranks)
            self.assertRegex(text, r"\d+ of [\d,]+ entries \(.* a vector that occurs more than 8 times")
            self.assertEqual(text.count("occurs more than"), 1, text)

    def test_what_does_not_fit_is_refused_by_name(self):
        printed = self.run_stage("partition", "--set", "index.factory=IVF32,SQ8", code=2)
        self.assertIn("SQ8", printed)
        self.run_stage("partition")
        self.run_stage("encode")
        printed = self.run_stage("train", "--set", "index.metric=ip", "--set", "knn.temperature=null",
                                 code=2)
        self.assertIn("temperature: is required", printed)
        self.run_stage("train")
        self.run_stage("add")
        printed = self.run_stage("decode knn", "--set", "knn.probing=hnsw", code=2)
        self.assertIn("IVF32_HNSW32", printed)


if __name__ == "__main__":
    unittest.main()
