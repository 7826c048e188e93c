"""What a model says is untrusted, and what its files state is not guessed: line breaks and bytes in
translations, tables with more rows than there are tokens, languages, translations cut at their greatest
length."""
import json
import shutil
import signal
import struct
import sys
import unittest

import numpy as np

import pipeline
from test_models import DATA, MODELS, ModelTest

sys.path.insert(0, str(pipeline.ROOT / "scripts"))
import tensor_files  # noqa: E402

DEMO = pipeline.MODEL


def read_weights(folder):
    """{name: array}, copied."""
    tensors = tensor_files.read_safetensors(folder / "model.safetensors")
    return {name: np.array(tensor.array()) for name, tensor in tensors.items()}


def write_weights(folder, arrays):
    types = {np.dtype(kind): dtype for dtype, kind in tensor_files.NUMPY_TYPES.items() if dtype != "BF16"}
    header, at = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": types[array.dtype], "shape": list(array.shape),
                        "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def edit_json(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def demo_pairs(count):
    lines = (DEMO / "test.tsv").read_text(encoding="utf-8").splitlines()[:count]
    return [line.split("\t")[:2] for line in lines]


class OutputTest(ModelTest):
    def warnings(self, text, words):
        return [line for line in text.splitlines() if "warning" in line and words in line]

    def assert_lines_of_text(self, decoding, run="run"):
        """Files of one line a sentence, whichever program reads them."""
        data = self.path(f"decode/{decoding}/hyp.txt", run).read_bytes()
        text = data.decode("utf-8")
        self.assertNotIn("\0", text)
        self.assertEqual(text.count("\n"), len(text.splitlines()))
        self.assertEqual(text.count("\n"), len(self.lines(f"decode/{decoding}/src.txt", run)))
        best = [json.loads(line)["nbest"][0] for line in self.lines(f"decode/{decoding}/nbest.jsonl", run)]
        self.assertEqual(text.split("\n")[:-1], [hypothesis["text"] for hypothesis in best])
        return best


class MarianOutput(OutputTest):
    """Of the demo model: one that likes to say line breaks and NULs, one with rows for no token, and one
    with language tokens."""

    @classmethod
    def setUpClass(cls):
        cls.prepare(DEMO, demo_pairs(60), index={"factory": "Flat"}, knn={"k": 4, "temperature": 10},
                    beam_search={"max_length_b": 12, "beam": 2, "block_sentences": 5})
        cls.vocabulary = json.loads((DEMO / "vocab.json").read_text(encoding="utf-8"))

    def copy_demo(self, name):
        model = self.folder / name
        shutil.copytree(DEMO, model)
        return model

    def test_line_breaks_and_nuls(self):
        model, weights = self.copy_demo("breaks"), read_weights(DEMO)
        spoken = {self.vocabulary[piece] for piece in ("<0x0A>", "<0x00>", "<0x0D>", "<0xE2>")}
        for token in spoken:
            weights["final_logits_bias"][0, token] += 10
        write_weights(model, weights)
        changes = {"model": str(model), "decode": self.config["decode"][:1]}
        text = self.knnseq("decode base", run_dir=str(self.folder / "breaks-run"), **changes)
        best = self.assert_lines_of_text("base", "breaks-run")
        mended = sum(bool(spoken & set(hypothesis["tokens"])) for hypothesis in best)
        self.assertGreater(mended, 3)
        for token in spoken:  # nbest.jsonl keeps what the model said
            self.assertTrue(any(token in hypothesis["tokens"] for hypothesis in best), token)
        only_bytes = {self.vocabulary["<0xE2>"]}  # spelled U+FFFD, which is text
        expected = sum(bool((spoken - only_bytes) & set(h["tokens"])) for h in best)
        warnings = self.warnings(text, "no single line of text")
        self.assertEqual(len(warnings), 1, text)
        count = int(warnings[0].split(" of 16 translations")[0].split()[-1])
        # Breaks at both ends of a text are white space that the tokeniser takes away.
        self.assertTrue(0 < count <= expected, (count, expected))

        text = self.knnseq("decode base", run_dir=str(self.folder / "filtered"), postprocess="tr e '\\r'",
                           ranks=1, **changes)
        self.assert_lines_of_text("base", "filtered")
        self.assertEqual(len(self.warnings(text, "no single line of text")), 1, text)

    def test_rows_that_are_no_tokens(self):
        model, weights, rows = self.copy_demo("padded"), read_weights(DEMO), 64
        size = len(self.vocabulary)
        for name, array in weights.items():
            if array.shape[:1] == (size,):
                weights[name] = np.concatenate([array, array[:rows]])
        bias = weights["final_logits_bias"]
        weights["final_logits_bias"] = np.concatenate([bias, np.full((1, rows), 5, bias.dtype)], 1)
        write_weights(model, weights)
        edit_json(model / "config.json", vocab_size=size + rows, decoder_vocab_size=size + rows)
        # A token that is missing in the middle, which the model likes, too.
        hole = self.vocabulary["."]
        vocabulary = {token: number for token, number in self.vocabulary.items() if number != hole}
        (model / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        padded = {"model": str(model), "run_dir": str(self.folder / "padded-run")}
        self.knnseq("run", **padded)
        self.knnseq("decode", **{**padded, "model": [str(model)] * 2, "ranks": 1}, decode=[
            {**self.config["decode"][0], "name": "ensemble"}])
        for decoding in ("base", "knn", "ensemble"):
            self.assert_lines_of_text(decoding, "padded-run")
            for hypothesis in self.nbest(decoding, "padded-run"):
                self.assertLess(max(hypothesis["tokens"]), size)
                self.assertNotIn(hole, hypothesis["tokens"])
        self.refused("partition", run_dir=str(self.folder / "none"), model=str(DEMO),
                     tokenizer=str(self.tokenizer_of(size + 1)),
                     says=(str(DEMO), f"the tokeniser has {size + 1} tokens, the model only {size}"))

    def tokenizer_of(self, tokens):
        folder = self.folder / "tokenizer"
        shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("*.safetensors"))
        edit_json(folder / "vocab.json", more=tokens - 1)
        return folder

    def test_target_languages(self):
        model, says = self.copy_demo("languages"), "begin with no language token"
        vocabulary = {{"<0x01>": ">>fra<<", "<0x02>": ">>spa<<"}.get(token, token): number
                      for token, number in self.vocabulary.items()}
        (model / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        with_one = self.folder / "with-one.source"
        lines = (self.folder / "test.source").read_text(encoding="utf-8").splitlines()
        lines[0] = ">>spa<< " + lines[0]
        with_one.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        item = {"name": "base", "knn": False, "source": str(with_one)}
        changes = {"model": str(model), "run_dir": str(self.folder / "languages-run"), "decode": [item]}
        for stage, count in (("decode base", "15 of 16"), ("partition", "60 of 60")):
            warnings = self.warnings(self.knnseq(stage, **changes), says)
            self.assertEqual(len(warnings), 1)
            for words in (f"{count} sources {says}", "(fra, spa)", "set target_lang"):
                self.assertIn(words, warnings[0])
        item["name"] = "given"
        self.assertEqual(self.warnings(self.knnseq("decode given", **changes, target_lang="fra"), says), [])


class FairseqBytes(OutputTest):
    """A fairseq model over a SentencePiece model with byte fallback. Its weights are random: what it says
    it has from its neighbours."""

    def test_bytes_are_spelled(self):
        pieces = sorted(json.loads((DEMO / "vocab.json").read_text(encoding="utf-8")))
        pieces = [piece for piece in pieces if piece not in ("</s>", "<unk>", "<pad>", "<s>")]
        pairs = [[f"{text} ☃", f"{text} ☃ 🦤."] for _, text in demo_pairs(30)]
        self.prepare("", pairs, index={"factory": "Flat"},
                     knn={"k": 8, "temperature": 0.01, "lambda": 0.95},
                     beam_search={"max_length_b": 60, "beam": 1})
        self.knnseq("run", model=str(self.model_of(pieces)))
        self.assert_lines_of_text("knn")
        self.assertNotIn("<0x", "".join(self.lines("decode/knn/hyp.txt")))
        self.assert_from_neighbours("knn")

    def model_of(self, pieces):
        model, source = self.folder / "model", MODELS / "fairseq-postnorm"
        model.mkdir()
        for side in ("source", "target"):
            (model / f"dict.{side}.txt").write_text("".join(f"{piece} 1\n" for piece in pieces),
                                                    encoding="utf-8")
            shutil.copy(DEMO / "target.spm", model / f"{side}.spm")
        (model / "fairseq_tokenizer.json").write_text('{"segmentation": "sentencepiece"}')
        shutil.copy(source / "config.json", model)
        rows = len(pieces) + 4
        edit_json(model / "config.json", source_vocab_size=rows, target_vocab_size=rows)
        generator, weights = np.random.default_rng(0), read_weights(source)
        for name, array in weights.items():
            if "embed_tokens" in name or "output_projection" in name:
                weights[name] = generator.normal(0, .5, (rows, array.shape[1])).astype(array.dtype)
        write_weights(model, weights)
        return model


class AddedLanguage(OutputTest):
    """NLLB with one more language, as transformers 5 saves it (tests/data/nllb-added)."""

    def test_the_language_has_the_id_that_is_stated(self):
        added = DATA / "nllb-added"
        ids = json.loads((added / "expected.json").read_text(encoding="utf-8"))["ids"]
        self.prepare(MODELS / "nllb", demo_pairs(16), source_lang="deu_Latn", target_lang="gsw_Latn",
                     beam_search={"max_length_b": 6, "beam": 1})
        model = self.folder / "model"
        shutil.copytree(MODELS / "nllb", model)
        (model / "special_tokens_map.json").unlink()
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(added / name, model)
        self.knnseq("decode base", model=str(model), ranks=1)
        firsts = {hypothesis["tokens"][0] for hypothesis in self.nbest("base")}
        self.assertEqual(firsts, {ids["gsw_Latn"]})
        shutil.copy(MODELS / "nllb" / "tokenizer.json", model)  # without the language
        self.refused("decode base", model=str(model), ranks=2, run_dir=str(self.folder / "none"),
                     says=("tokenizer_config.json: lists 'gsw_Latn'", "no file states the ids"))


class CutTranslations(pipeline.PipelineTest):
    """Translations that come to their greatest length are counted, also by a run that only finishes what
    others began."""

    def cut_line(self, text):
        lines = [line.split("warning: ")[-1] for line in text.splitlines() if "translations (" in line]
        self.assertEqual(len(lines), 1, text)
        return lines[0]

    def test_cut_translations_are_counted(self):
        limit, short = 6, ("--set", "beam_search.max_length_b=6")
        said = self.cut_line(self.run_stage("decode base", *short, "--set", f"run_dir={self.folder}/whole"))
        run = self.folder / "run"
        self.start_and_signal("decode base", *short, number=signal.SIGKILL, when=lambda: any(
            path.stat().st_size > 0 for path in run.glob("decode/base/*.journal.*")))
        self.assertFalse((run / "decode/base/manifest.json").exists())
        self.assertEqual(self.cut_line(self.run_stage("decode base", *short, ranks=3)), said)
        nbest = [json.loads(line)["nbest"][0] for line in
                 (run / "decode/base/nbest.jsonl").read_text(encoding="utf-8").splitlines()]
        cut = sum(len(hypothesis["tokens"]) == limit + 1 for hypothesis in nbest)
        self.assertGreater(cut, 5)
        self.assertIn(f"{cut} of 30 translations ({100 * cut / 30:.1f} %) were cut", said)
        self.assertIn("raise beam_search.max_length_b (6)", said)
        self.assertIn(f"{cut} of 30 translations were cut",
                      self.run_stage("evaluate", *short, "--set", "decode=[" + json.dumps({
                          "name": "base", "knn": False, "source": f"{self.folder}/test.de",
                          "reference": f"{self.folder}/test.en", "block_sentences": 6}) + "]", ranks=1))
        text = self.run_stage("decode base", "--force", ranks=1)
        self.assertNotIn("were cut", text)


if __name__ == "__main__":
    unittest.main()
