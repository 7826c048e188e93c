"""Sentences and sentence features of what knn-seq has stored (tests/data/imports/knn-seq), beside h5py and NumPy.
Needs NumPy, h5py, faiss and PyYAML."""
import json
import re
import subprocess
import sys
import unittest

import h5py
import numpy as np

import pipeline

sys.path[:0] = [str(pipeline.ROOT / "scripts")]
import knnseq  # noqa: E402
import reference_fairseq  # noqa: E402

DATA = pipeline.ROOT / "tests/data"
MODEL = DATA / "models/fairseq-prenorm"
STORE = DATA / "imports/knn-seq"
PAIRS = STORE / "pairs"
ENCODER = DATA / "sentence_encoder/model.pt"
MADE = ("corpus/*", "datastore/*", "codebook/*", "index/*")
OF_PAIRS = {"keys": PAIRS / "keys.ffn_in.bin", "values": PAIRS / "values.bin", "index": None,
            "sentences": PAIRS / "source/keys.enc.bin"}


def read(file, dataset):
    with h5py.File(STORE / file) as store:
        return store[dataset][()]


class ImportSentences(pipeline.PipelineTest):
    def setUp(self):
        super().setUp()
        self.sources = re.findall(r"^S-\d+\t(.*)$", (STORE / "generate.txt").read_text(encoding="utf-8"), re.M)
        self.write_side("test.src", self.sources)
        self.settings = {
            "run_dir": f"{self.folder}/run", "model": str(MODEL), "shards": 3,
            "index": {"factory": "OPQ4,IVF16_HNSW8,PQ4"}, "datastore": {"sample": 500},
            "knn": {"k": 4, "nprobe": 16, "temperature": 2, "lambda": 0.6},
            "subset": {"sentences": 7, "codes": "PQ4", "index": "Flat"},
            "decode": [{"name": mode, "mode": mode, "source": f"{self.folder}/test.src"}
                       for mode in ("subset", "memory")]}
        self.imports = {"keys": STORE / "keys.ffn_in.0.bin", "values": STORE / "values.0.bin",
                        "index": STORE / "index.0.bin", "sentences": STORE / "keys.enc.bin"}

    def configure(self, run="run", imports=None, **changes):
        """Writes a config that imports what `imports` says beside self.imports, without what is None there."""
        imports = {**self.imports, **(imports or {})}
        own = {what: list(map(str, files)) if isinstance(files, list) else str(files)
               for what, files in imports.items() if files is not None}
        settings = {**self.settings, "import": own, "run_dir": f"{self.folder}/{run}", **changes}
        self.config.write_text(json.dumps(settings), encoding="utf-8")

    def hypotheses(self, decoding, run="run"):
        return (self.folder / run / "decode" / decoding / "hyp.txt").read_text(encoding="utf-8").splitlines()

    def sentences(self, run="run"):
        """Of all shards of the datastore, in their order: (line, tokens, first entry, feature)."""
        found = {}
        for path in sorted((self.folder / run / "datastore").glob("*.h5")):
            with h5py.File(path) as file:
                starts = file["sentence_starts"][()]
                rows = zip(file["sentence_numbers"][()], file["line_numbers"][()], starts[:-1], starts[1:],
                           file["entry_starts"][()], file["sentence_keys"][()], strict=True)
                for number, line, begin, end, entry, feature in rows:
                    found[int(number)] = (int(line), file["values"][begin:end].tolist(), int(entry), feature)
        return [found[number] for number in range(len(found))]

    def assert_same_sentences(self, ours, theirs):
        self.assertEqual([sentence[:3] for sentence in ours], [sentence[:3] for sentence in theirs])
        np.testing.assert_array_equal([s[3] for s in ours], [s[3] for s in theirs])

    def test_sentences_are_those_of_the_store(self):
        """Of two files, the second with features that have an order of their own; then without two of them."""
        count, second = len(read("values.0.bin", "lengths")), len(read("values.1.bin", "lengths"))
        features = np.random.default_rng(1).normal(size=(second, 24)).astype(np.float32)
        own_order = np.random.default_rng(2).permutation(second)
        (self.folder / "source").mkdir()
        np.save(self.folder / "source/features.npy", features)
        with h5py.File(self.folder / "source/values.bin", "w") as file:
            file["sort_order"] = own_order
        imports = {what: [STORE / f"{name}.{i}.bin" for i in range(2)]
                   for what, name in (("keys", "keys.ffn_in"), ("values", "values"), ("index", "index"))}
        imports["sentences"] = [STORE / "keys.enc.bin", self.folder / "source/features.npy"]
        self.configure(imports=imports)
        printed = self.run_stage("import", ranks=1)
        self.assertIn("160 sentences without their sources, of which there are features of width 24 in the order of "
                      "values.bin of the source", printed)
        first, expected = 0, []
        for shard, base in ((0, 0), (1, count)):
            lines, lengths = (read(f"values.{shard}.bin", name) for name in ("sort_order", "lengths"))
            tokens = np.split(read(f"values.{shard}.bin", "tokens"), np.cumsum(lengths)[:-1])
            own = read("keys.enc.bin", "memory") if shard == 0 else features[np.argsort(own_order)][lines]
            for line, target, feature in zip(lines, tokens, own.astype(np.float16), strict=True):
                expected.append((line + base, target.tolist(), first, feature))
                first += len(target)
        self.assert_same_sentences(self.sentences(), expected)
        datastore = knnseq.Run(self.folder / "run").datastore
        keys = np.concatenate([read(f"keys.ffn_in.{i}.bin", "memory") for i in range(2)])
        np.testing.assert_array_equal(datastore.keys(np.arange(len(keys))), keys)
        for ranks in pipeline.some((3, 2)):
            self.run_stage("import", "--set", f"run_dir={self.folder}/other", "--force", ranks=ranks)
            self.assertEqual(self.digests(*MADE, run="other"), self.digests(*MADE))
        self.assertEqual(self.leftovers("other"), [])
        self.check_removal(expected)

    def check_removal(self, sentences):
        removed = {sentences[3][0], sentences[150][0]}
        self.write_side("withdrawn.tsv", [f"main\t{line + 1}" for line in removed])
        before = knnseq.Run(self.folder / "run").datastore
        kept = [s for s in sentences if s[0] not in removed]
        entries = np.concatenate([np.arange(s[2], s[2] + len(s[1])) for s in kept])
        keys, first, expected = before.keys(entries), 0, []
        for line, target, _, feature in kept:
            expected.append((line, target, first, feature))
            first += len(target)
        self.assertIn("took 2 pairs", self.run_stage("remove", "--lines", f"{self.folder}/withdrawn.tsv", ranks=2))
        self.assert_same_sentences(self.sentences(), expected)
        datastore = knnseq.Run(self.folder / "run").datastore
        np.testing.assert_array_equal(datastore.keys(np.arange(first)), keys)
        self.assertEqual(self.run_stage("import", ranks=1).count("already done"), 4)
        self.run_stage("verify", ranks=1)

    def nearest_sentences(self, features, count):
        """Of each test sentence: the sentences whose features are nearest to the mean of the encoder's output."""
        model = reference_fairseq.FairseqModel(MODEL)
        for source in self.sources:
            mean = model.teacher_force(model.tokens_of(source), [2])[2].mean(0)
            yield np.argsort(((features.astype(float) - mean) ** 2).sum(1), kind="stable")[:count]

    def test_subsets_are_those_that_numpy_finds(self):
        """Sentences by their features, then neighbours by the codes of their entries."""
        self.configure()
        printed = self.run_stage("run", ranks=1)
        self.assertIn("110 sentence pairs, 726 entries", printed)
        made = self.digest("subset/*/*", "decode/*/*")
        for ranks in pipeline.some((3, 2)):
            self.run_stage("subset", "--force", ranks=ranks)
            self.run_stage("decode", "--force", ranks=ranks)
            self.assertEqual(self.digest("subset/*/*", "decode/*/*"), made)
        done = subprocess.run([sys.executable, pipeline.ROOT / "scripts/reference_knnmt.py", self.folder / "run",
                               "--sentences", "6", "--decoding", "subset"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertLess(float(re.search(r"^log p of each token +\d+ +(\S+)", done.stdout, re.M).group(1)), 1e-4)

        lines, lengths = read("values.0.bin", "sort_order"), read("values.0.bin", "lengths")
        tokens = np.split(read("values.0.bin", "tokens"), np.cumsum(lengths)[:-1])
        nearest = list(self.nearest_sentences(read("keys.enc.bin", "memory"), 7))
        dictionary = [line.split()[0] for line in (MODEL / "dict.target.txt").read_text().splitlines()]
        self.assertEqual(self.hypotheses("memory"),
                         [" ".join(dictionary[token - 4] for token in tokens[found[0]][:-1]) for found in nearest])
        for number in pipeline.some(range(len(nearest)), 3):
            shown = self.run_stage("inspect", "--json", "--set", "inspect.knn=subset", "--set", "inspect.base=memory",
                                   "--set", f"inspect.line={number + 1}", ranks=1)
            trace = json.JSONDecoder().raw_decode(shown[shown.index("{"):])[0]["trace"]
            self.assertTrue(trace["sentences"])
            self.assertLessEqual({s["line"] for s in trace["sentences"]}, set(lines[nearest[number]] + 1))
            for sentence in trace["sentences"]:
                target = tokens[list(lines).index(sentence["line"] - 1)]
                self.assertEqual(sentence["target"].split(), [dictionary[token - 4] for token in target[:-1]])

    def test_features_are_what_encode_makes_of_the_sources(self):
        """Of the same text: in one run directory imported, in the other one encoded here."""
        text = {"source": str(PAIRS / "text.src"), "target": str(PAIRS / "text.tgt")}
        self.settings["index"] = {"factory": "Flat"}
        self.imports = OF_PAIRS
        own_encoder = ("--set", "subset.encoder=torchscript", "--set", f"subset.model={ENCODER}")
        self.configure("text", dict.fromkeys(OF_PAIRS), corpus=text)
        self.run_stage("run", ranks=1)
        memory = self.hypotheses("memory", "text")
        encoded = {sentence[0]: sentence for sentence in self.sentences("text")}
        self.configure()
        self.run_stage("run", ranks=1)
        imported = {sentence[0]: sentence for sentence in self.sentences()}
        self.assertEqual({line: s[1] for line, s in imported.items()}, {line: s[1] for line, s in encoded.items()})
        for line, (_, _, _, feature) in imported.items():  # both are rounded to fp16
            np.testing.assert_allclose(feature.astype(float), encoded[line][3].astype(float), atol=2e-3)
        self.assertEqual(self.hypotheses("memory"), memory)
        self.check_growth(text)

        self.configure("text", dict.fromkeys(OF_PAIRS), corpus=text)
        for stage in ("subset", "decode memory"):
            self.run_stage(stage, "--force", *own_encoder, ranks=1)
        memory = self.hypotheses("memory", "text")
        self.check_own_encoder(own_encoder, memory)

    def check_growth(self, text):
        """A corpus is appended, whose features encode makes; and two run directories are merged."""
        before = self.hypotheses("memory")
        again = [{**item, "name": f"more-{item['name']}"} for item in self.settings["decode"]]
        self.configure(append=[{"name": "more", **text}], decode=again)
        self.run_stage("run", ranks=1)
        self.assertEqual(self.hypotheses("more-memory"), before)  # of equal sentences the first
        merged = subprocess.run([pipeline.PROGRAM, "merge", self.folder / "run", self.folder / "text", "--into",
                                 self.folder / "both"], capture_output=True, text=True)
        self.assertEqual(merged.returncode, 0, merged.stderr)
        self.config = self.folder / "both/config.yaml"
        self.run_stage("run", ranks=1)
        self.assertEqual(self.hypotheses("more-memory", "both"), before)
        self.run_stage("verify", ranks=1)
        self.config = self.folder / "config.yaml"

    def check_own_encoder(self, own_encoder, memory):
        """Features of an encoder of the user's own, in the order of the values."""
        vectors = {}
        for path in sorted((self.folder / "text/subset/vectors").glob("*.h5")):
            with h5py.File(path) as made, h5py.File(self.folder / "text/datastore" / path.name) as store:
                vectors.update(zip(store["line_numbers"][()].tolist(), made["sentence_vectors"][()], strict=True))
        lines = read(PAIRS / "values.bin", "sort_order")
        np.save(self.folder / "features.npy", np.stack([vectors[line] for line in lines]))
        self.configure("own", {"sentences": self.folder / "features.npy"})
        self.assertIn("the model's encoder gives 24: those of another encoder need subset.encoder: torchscript",
                      self.run_stage("import", ranks=1, code=2))
        self.run_stage("run", *own_encoder, ranks=1)
        targets = (PAIRS / "text.tgt").read_text(encoding="utf-8").splitlines()
        for ours, theirs in zip(self.hypotheses("memory", "own"), memory, strict=True):
            # To this encoder all words are unknown: it tells lengths only, and each has several nearest sentences.
            np.testing.assert_array_equal(vectors[targets.index(ours)], vectors[targets.index(theirs)])
        self.assertGreater(len({vector.tobytes() for vector in vectors.values()}), 5)
        self.assertFalse((self.folder / "own/subset/vectors").exists())
        self.assertIn("and subset.encoder: mean gives 24: they are another encoder's",
                      self.run_stage("decode", "--force", ranks=1, code=2))

    def changed(self, **datasets):
        """Values of the pairs in which datasets are others; without those that are None."""
        path = self.folder / f"values-{len(list(self.folder.glob('values-*')))}.bin"
        with h5py.File(PAIRS / "values.bin") as old, h5py.File(path, "w") as new:
            for name in old:
                values = datasets.get(name, old[name][()])
                if values is not None:
                    new[name] = values
        return path

    def refused(self, says, stage="import", *options, **imports):
        self.configure(f"refused-{len(list(self.folder.glob('refused-*')))}", imports)
        printed = self.run_stage(stage, *options, ranks=1, code=2)
        self.assertIn(says, printed)
        return printed

    def test_what_does_not_fit_is_refused_by_file_and_dataset(self):
        self.settings["index"] = {"factory": "Flat"}
        self.imports = OF_PAIRS
        lengths = read(PAIRS / "values.bin", "lengths")
        shifted = lengths.copy()
        shifted[:2] += [1, -1]
        self.refused("values-0.bin: row 0 of dataset 'lengths' lets a sentence end with token",
                     values=self.changed(lengths=shifted))
        self.refused("values-1.bin: has no dataset 'lengths'", "run --check", values=self.changed(lengths=None))
        self.check_what_subset_needs()

    def check_what_subset_needs(self):
        self.refused("subset.encoder: bm25 compares the text of sources", "run --check", "--set", "subset.encoder=bm25")
        says = ("subset needs features of the source sentences, which this datastore was imported without: name "
                "knn-seq's files of them (keys.enc.bin) as import.sentences and run 'knnseq import --force'")
        self.refused(says, "run --check", sentences=None)
        self.configure("none", {"sentences": None})
        self.run_stage("import", ranks=1)
        self.assertIn(says, self.run_stage("subset", ranks=1, code=2))


if __name__ == "__main__":
    unittest.main()
