"""scripts/knnseq.py beside the program: what it reads and finds is what the program says. Needs NumPy, h5py,
faiss and PyYAML."""
import contextlib
import json
import math
import shutil
import subprocess
import sys
import unittest

import h5py
import numpy as np

import pipeline

sys.path[:0] = [str(pipeline.ROOT / "scripts"), str(pipeline.ROOT / "tests/support")]
import knnseq  # noqa: E402
import page_blocks  # noqa: E402
import run_files  # noqa: E402

MODELS = pipeline.ROOT / "tests/data/models"


class PythonClient(pipeline.AppendingTest):
    def test_all(self):
        for stage in ("run", "export"):
            self.run_stage(stage)
        self.client = knnseq.Run(self.run_dir, folder=pipeline.ROOT)
        self.check_sentences()
        self.check_keys_and_values()
        self.check_translations()
        self.check_what_is_refused()
        checked = subprocess.run([sys.executable, pipeline.ROOT / "scripts/check_datastore.py", self.run_dir],
                                 capture_output=True, text=True)
        self.assertIn("export: the same entries, distances and values", checked.stdout, checked.stderr)
        page = (pipeline.ROOT / "docs/python.md").read_text(encoding="utf-8").split("\n## generate()")[0]
        with contextlib.chdir(pipeline.ROOT):
            printed = page_blocks.run_page(page, "runs/demo", str(self.run_dir))
        self.assertEqual(len(printed), 9)
        self.assertIn("p_knn", printed[7])
        self.check_pruned()

    def check_sentences(self):
        """Every line of both corpora, with its entries."""
        datastore, lines = self.client.datastore, {}
        for corpus, name in (("", "corpus"), ("news", "news")):
            for side in ("de", "en"):
                lines[corpus, side] = (self.folder / f"{name}.{side}").read_text(encoding="utf-8").splitlines()
        self.assertEqual([corpus.name for corpus in self.client.corpora], ["", "news"])
        self.assertEqual(datastore.sentences, 800)
        seen, first = set(), 0
        for number in range(datastore.sentences):
            sentence = datastore.sentence(number)
            self.assertEqual(sentence.first_entry, first)
            entries = np.arange(first, first + len(sentence.target))
            self.assertEqual(set(datastore.sentence_of(entries)), {number})
            np.testing.assert_array_equal(datastore.values(entries), sentence.target)
            self.assertEqual(datastore.at_line(sentence.line, sentence.corpus), number)
            for side, tokens in (("de", sentence.source), ("en", sentence.target)):
                text = datastore.text(tokens, "source" if side == "de" else "target")
                wanted = lines[sentence.corpus, side][sentence.line - 1]
                if "<unk>" not in datastore.pieces(tokens):
                    self.assertEqual(text, wanted.replace("\xa0", " "))
            seen.add((sentence.corpus, sentence.line))
            first += len(sentence.target)
        self.assertEqual((len(seen), first), (800, len(datastore)))

    def check_keys_and_values(self):
        datastore = self.client.datastore
        np.testing.assert_array_equal(datastore.values(), np.load(self.run_dir / "export/values.npy"))
        keys, entries = (np.concatenate(part) for part in zip(*datastore.blocks()))
        self.assertEqual((keys.shape, keys.dtype), ((len(datastore), datastore.width), np.float32))
        chosen = np.array([entries[-1], entries[0], entries[-1], len(datastore) - 1])
        np.testing.assert_array_equal(datastore.keys(chosen), keys[np.argsort(entries)][chosen])
        found = self.client.neighbours(keys[:40], 5, nprobe=32)
        self.assertEqual((found.distances.dtype, found.entries.dtype), (np.float32, np.int64))
        np.testing.assert_array_equal(datastore.values(found.entries.reshape(-1)), found.tokens.reshape(-1))
        self.assertGreater((found.entries[:, 0] == entries[:40]).mean(), 0.9)
        missing = self.client.neighbours(keys[:2], len(datastore) + 3, nprobe=32)
        self.assertEqual(set(missing.entries[:, -3:].reshape(-1)), {-1})
        self.assertTrue(np.isinf(missing.distances[:, -3:]).all())

    def check_translations(self):
        """Where the program's translation is a datastore sentence, its queries are stored keys, so that its
        trace can be recomputed from them."""
        datastore, sentences = self.client.datastore, [self.client.datastore.sentence(i) for i in range(0, 800, 20)]
        names = {"": "corpus.de", "news": "news.de"}
        lines = {corpus: (self.folder / name).read_text(encoding="utf-8").splitlines() for corpus, name in names.items()}
        sources = [lines[sentence.corpus][sentence.line - 1] for sentence in sentences]
        launcher = ["mpirun", "-np", "2"]
        with self.client.translator(program=pipeline.PROGRAM, launcher=launcher, name="knn") as translator:
            self.assertIn("lambda 0.6", translator.said)
            answers = translator.translate(sources, trace={"neighbours": 16}, nbest=1)
            self.assertEqual(translator.translate(sources[0])["text"], answers[0]["text"])
            with self.assertRaisesRegex(knnseq.RequestError, "sentence 0: .*field 'k' is 0"):
                translator.translate(sources[:2], k=0)
            other = translator.translate(sources[1:2], k=4, lambda_=0.3, nbest=2, prefix="On")[0]
            self.assertTrue(other["text"].startswith("On"), other)
            alone = translator.translate(sources[2:3], knn=False, trace=True)[0]
            self.assertEqual(alone["trace"]["settings"]["mode"], "base")
            many = translator.translate([""] * 5000, knn=False)  # more than a pipe holds
            self.assertEqual({answer["text"] for answer in many}, {""})
            with self.assertRaisesRegex(knnseq.RequestError, "sentence 1: .*without NUL"):
                translator.translate(["", "\0"])
        mixing, compared = self.client.mixing("knn"), 0
        for sentence, answer in zip(sentences, answers):
            if answer["nbest"][0]["tokens"] != sentence.target.tolist():
                continue
            entries = np.arange(sentence.first_entry, sentence.first_entry + len(sentence.target))
            traced = answer["trace"]["target"]["tokens"]
            found = mixing.search(datastore.keys(entries))
            for row, token in enumerate(traced):
                near = token["neighbours"]
                np.testing.assert_allclose(found.distances[row], [n["distance"] for n in near], rtol=0.02, atol=0.2)
                same = {n["entry"] for n in near} & set(found.entries[row])
                self.assertGreaterEqual(len(same), 14)  # keys are rounded to fp16
                compared += 1
            log_p_mt = np.full((len(traced), 8000), -50.0)
            log_p_mt[np.arange(len(traced)), sentence.target] = [math.log(token["p_mt"]) for token in traced]
            own = mixing(datastore.keys(entries), log_p_mt)[np.arange(len(traced)), sentence.target]
            np.testing.assert_allclose(np.exp(own), [token["p"] for token in traced], atol=0.01)
        self.assertGreater(compared, 50)

    def check_what_is_refused(self):
        run, refused = self.client, lambda says: self.assertRaisesRegex(knnseq.RunError, says)
        with refused("is no run directory"):
            knnseq.Run(self.folder)
        with refused("run 'knnseq append old' first, or leave it out"):
            knnseq.Run(self.run_dir, append=["old"]).index
        self.assertEqual(len(knnseq.Run(self.run_dir, append=[]).datastore.shards), 2)
        self.assertEqual(len(knnseq.Run(self.run_dir, append="all").datastore.shards), 4)
        with refused("run 'knnseq prune' first"):
            knnseq.Run(self.run_dir, pruned=True).index
        with refused("is not there: Run"):
            knnseq.Run(self.run_dir, folder=self.folder).input_path("models")
        with refused("no .*decode/nothing/manifest.json"):
            run.mixing("nothing")
        with refused("was made without kNN"):
            run.mixing("base")
        with refused(r"mode subset is not for this; Run.translator\(\) takes it"):
            run.mixing(mode="subset")
        with self.assertRaisesRegex(ValueError, "no setting of kNN: temp; there are mode, k"):
            run.mixing(temp=3)
        with self.assertRaisesRegex(ValueError, r"queries are \[n, 256\], not \[3, 8\]"):
            run.neighbours(np.zeros((3, 8)), 4)
        with self.assertRaisesRegex(IndexError, "entries are 0 to"):
            run.datastore.keys([len(run.datastore)])
        with refused("line 701 of the corpus is not in the datastore"):
            run.datastore.at_line(701)
        with refused("(?s)exit code 2:.*no 'decode' item named 'x'"):
            with run.translator(program=pipeline.PROGRAM, name="x"):
                pass
        with refused("/none: No such file"):
            with run.translator(program="/none"):
                pass
        self.assertEqual(set(run.scores), {"base", "knn"})
        (self.run_dir / "evaluate/scores.json").rename(self.folder / "scores.json")
        with refused("run 'knnseq evaluate' first"):
            knnseq.Run(self.run_dir).scores
        (self.folder / "scores.json").rename(self.run_dir / "evaluate/scores.json")
        keyless = self.folder / "keyless"
        for part in ("corpus", "datastore"):
            shutil.copytree(self.run_dir / part, keyless / part)
        for file in keyless.glob("datastore/shard-*.h5"):
            with h5py.File(file, "a") as shard:
                del shard["keys"]
        without = knnseq.Run(keyless).datastore
        self.assertEqual(without.values([3])[0], run.datastore.values([3])[0])
        with refused("no dataset keys .this needs a datastore made with datastore.store: keys"):
            without.keys([3])
        file = next(iter(keyless.glob("corpus/shard-*.h5")))
        file.write_bytes(file.read_bytes()[:600])
        with refused("corpus/shard-0000"):
            [knnseq.Run(keyless).datastore.sentence(i) for i in range(700)]

    def check_pruned(self):
        options = ("--set", "datastore.prune.distance=1", "--set", "datastore.prune.neighbours=1")
        for stage in ("prune", "append"):
            self.run_stage(stage, *options)
        run = knnseq.Run(self.run_dir, folder=pipeline.ROOT)
        self.assertTrue(run.pruned)
        kept = sum(json.loads((run.path / folder / "pruned/index/manifest.json").read_text())["content"]["entries"]
                   for folder in (".", "append/news"))
        self.assertEqual((len(run.index), len(run.datastore)), (kept, len(self.client.datastore)))
        self.assertLess(kept, len(self.client.index))
        source = (self.folder / "corpus.de").read_text(encoding="utf-8").splitlines()[7]
        with run.translator(program=pipeline.PROGRAM) as translator:
            trace = translator.translate(source, trace=True)["trace"]
            translator._process.kill()
            with self.assertRaisesRegex(knnseq.RunError, "knnseq translate ended with exit code -9"):
                translator.translate(source)
        with self.assertRaisesRegex(knnseq.RunError, "not running"):
            translator.translate(source)
        found = {neighbour["entry"] for token in trace["target"]["tokens"] for neighbour in token["neighbours"]}
        self.assertLessEqual(found, set(np.concatenate([file.ids for file in run.index.files]) & (1 << 40) - 1))
        self.assertEqual(knnseq.Run(self.run_dir, pruned=False).index.search(np.zeros((1, 256)), 1).tokens.shape, (1, 1))


class Vocabularies(unittest.TestCase):
    """Texts that the tokenisers of transformers made of tokens."""

    def test_families(self):
        for model in ("marian-separate", "m2m100", "nllb"):
            vocabulary, same = run_files.Vocabulary(MODELS / model, "target"), 0
            cases = json.loads((MODELS / model / "tokenization.json").read_text(encoding="utf-8"))["texts"]
            plain = [case for case in cases if case["text"].replace(" ", "").isascii() and case["text"] ==
                     case["target_decoded"]]
            for case in plain:
                self.assertEqual(vocabulary.text(case["target_ids"]), case["text"], model)
            self.assertGreater(len(plain), 5)

    def test_fairseq(self):
        vocabulary = run_files.Vocabulary(MODELS / "fairseq-wmt19-like", "target")
        words = (MODELS / "fairseq-wmt19-like/dict.target.txt").read_text(encoding="utf-8").split()[:4:2]
        self.assertEqual(vocabulary.text([4, 3, 5, 2]), " ".join(words))

    def test_others_are_refused(self):
        with self.assertRaisesRegex(knnseq.RunError, "the tokeniser's folder"):
            run_files.Vocabulary(MODELS, "target")


if __name__ == "__main__":
    unittest.main()
