"""Model families end to end, on models of a few thousand random weights: languages, keys of other layers,
ensembles, TorchScript, number types, and the commands around a model. Such a model knows nothing, so what
it translates right it has from its neighbours: sentences of the corpus come back only if queries are
what the keys were, of the same layer, after the same forced tokens, through the same tokeniser."""
import json
import os
import random
import re
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

import pipeline

DATA = pipeline.ROOT / "tests" / "data"
MODELS = DATA / "models"
MBART = DATA / "torchscript" / "mbart" / "model.pt"
POSTNORM = MODELS / "fairseq-postnorm"
WMT19 = MODELS / "fairseq-wmt19-like"
LINES, TEST_LINES = 140, 16  # the first lines of the corpus are also the test set


def real_pairs():
    """Lines of the demo model's test set, which the multilingual fixtures' pieces can spell."""
    lines = (pipeline.MODEL / "test.tsv").read_text(encoding="utf-8").splitlines()[:LINES]
    return [line.split("\t")[:2] for line in lines]


def dictionary_pairs(source="s{}", target="s{}"):
    """Lines of words of the fairseq fixtures' dictionaries; a target has its source's words turned."""
    generator = random.Random(1)
    pairs = []
    for _ in range(LINES):
        numbers = generator.sample(range(3, 90), generator.randint(4, 11))
        pairs.append([" ".join(side.format(n) for n in words)
                      for side, words in ((source, numbers), (target, numbers[::-1]))])
    return pairs


def language_tokens(model):
    """The fixture's tokens before a source and before a target, as transformers has them."""
    recorded = json.loads((MODELS / model / "tokenization.json").read_text(encoding="utf-8"))
    return recorded["prefix"][0], recorded["forced"][0]


def copy_with_other_weights(model, copy, tensor):
    """Copies a model with the two halves of one tensor swapped."""
    shutil.copytree(model, copy)
    path = copy / "model.safetensors"
    data = path.read_bytes()
    header = 8 + struct.unpack("<Q", data[:8])[0]
    begin, end = (header + at for at in json.loads(data[8:header])[tensor]["data_offsets"])
    middle = (begin + end) // 2
    path.write_bytes(data[:begin] + data[middle:end] + data[begin:middle] + data[end:])


class ModelTest(unittest.TestCase):
    """All tests of a class share a folder, a corpus and the runs made by setUpClass. `config` is the
    run in folder/run; tests change copies of it."""

    @classmethod
    def prepare(cls, model, pairs, **changes):
        cls.folder = Path(tempfile.mkdtemp(prefix="knnseq-e2e-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        for number, side in enumerate(("source", "target")):
            lines = [pair[number] + "\n" for pair in pairs]
            (cls.folder / f"corpus.{side}").write_text("".join(lines), encoding="utf-8")
            (cls.folder / f"test.{side}").write_text("".join(lines[:TEST_LINES]), encoding="utf-8")
        test = {"source": str(cls.folder / "test.source"), "reference": str(cls.folder / "test.target")}
        cls.config = {
            "run_dir": str(cls.folder / "run"), "model": str(model),
            "corpus": {side: str(cls.folder / f"corpus.{side}") for side in ("source", "target")},
            "index": {"factory": "IVF4,PQ8"},
            "knn": {"k": 8, "nprobe": 4, "temperature": 0.01, "lambda": 0.95},
            "beam_search": {"max_length_b": 60, "block_sentences": 5},
            "decode": [{"name": "base", "knn": False, **test}, {"name": "knn", **test},
                       {"name": "greedy", "beam": 1, **test}], **changes}

    @classmethod
    def knnseq(cls, stage, *options, ranks=2, code=0, **changes):
        """Runs a stage with `changes` to the config (None: without this key); returns what it printed.
        One rank is started without mpirun, which costs most of the time."""
        config = {key: value for key, value in {**cls.config, **changes}.items() if value is not None}
        path = cls.folder / "config.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        start = ["mpirun", "-np", str(ranks)] if ranks > 1 else []
        done = subprocess.run([*start, pipeline.PROGRAM, *stage.split(), "--config", str(path), *options],
                              capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        text = done.stdout + done.stderr
        if done.returncode != code:
            raise AssertionError(f"exit code {done.returncode}, not {code}:\n{text}")
        return text

    def refused(self, stage, *options, says, ranks=1, **changes):
        text = self.knnseq(stage, *options, ranks=ranks, code=2, **changes)
        lines = [line for line in text.splitlines() if line.startswith("knnseq")]
        self.assertEqual(len(lines), 1, text)  # one message for all ranks
        for words in says if isinstance(says, (list, tuple)) else [says]:
            self.assertIn(words, lines[0])

    def path(self, name, run="run"):
        return self.folder / run / name

    def lines(self, name, run="run"):
        return self.path(name, run).read_text(encoding="utf-8").splitlines()

    def nbest(self, decoding, run="run"):
        """All hypotheses of a decoding."""
        lines = self.lines(f"decode/{decoding}/nbest.jsonl", run)
        return [hypothesis for line in lines for hypothesis in json.loads(line)["nbest"]]

    def manifest(self, stage, run="run"):
        return json.loads(self.path(f"{stage}/manifest.json", run).read_text(encoding="utf-8"))

    def dataset(self, name, run="run"):
        """Shape and, for whole numbers, values of a dataset of the datastore."""
        text = subprocess.run(["h5dump", "-y", "-d", name, self.path("datastore/shard-00000.h5", run)],
                              capture_output=True, text=True, check=True).stdout
        shape = re.search(r"SIMPLE \{ \( ([\d, ]+) \)", text)[1]
        values = text.split("DATA {")[1].split("}")[0]
        return ([int(n) for n in shape.split(",")],
                [int(n) for n in re.findall(r"\d+", values)] if name == "values" else None)

    def assert_from_neighbours(self, decoding="greedy", run="run"):
        """Most of the test set came back as it stands in the corpus. (With more beams the fixtures, most
        of which like to end at once, have their five hypotheses before the right one is complete.)"""
        pairs = list(zip(self.lines(f"decode/{decoding}/hyp.txt", run), self.lines("decode/base/ref.txt")))
        self.assertEqual(len(pairs), TEST_LINES)
        right = sum(hypothesis == reference for hypothesis, reference in pairs)
        self.assertGreaterEqual(right, TEST_LINES - 2, pairs)

    def assert_same_translations(self, one, other):
        """Two decodings, each (name, run), of the same translations with nearly the same scores."""
        self.assertEqual(self.lines(f"decode/{one[0]}/hyp.txt", one[1]),
                         self.lines(f"decode/{other[0]}/hyp.txt", other[1]))
        for mine, yours in zip(self.nbest(*one), self.nbest(*other), strict=True):
            self.assertEqual(mine["tokens"], yours["tokens"])
            self.assertAlmostEqual(mine["score"], yours["score"], delta=1e-5)


class Languages:
    """Models of many languages; subclasses say which."""

    @classmethod
    def setUpClass(cls):
        cls.prepare(MODELS / cls.model, real_pairs(), source_lang=cls.source, target_lang=cls.target,
                    index={"factory": "IVF4,PQ24"})
        cls.knnseq("run")

    def test_translations_begin_with_the_language(self):
        token = language_tokens(self.model)[1]
        for decoding in ("base", "knn"):
            for hypothesis in self.nbest(decoding):
                self.assertEqual((hypothesis["tokens"][0], hypothesis["log_probs"][0]), (token, 0.0))
                self.assertNotIn(token, hypothesis["tokens"][1:])
            text = self.path(f"decode/{decoding}/hyp.txt").read_text(encoding="utf-8")
            self.assertNotRegex(text, r"__\w+__|[a-z]{3}_[A-Z]")
        self.assert_from_neighbours()

    @unittest.skipUnless(shutil.which("h5dump"), "h5dump is not installed")
    def test_languages_are_no_values(self):
        shape, values = self.dataset("values")
        self.assertEqual(shape, [self.manifest("datastore")["content"]["entries"]])
        self.assertEqual(len(values), shape[0])
        self.assertTrue({2}.issubset(values) and not set(values) & set(language_tokens(self.model)))

    def test_languages_are_needed_and_known(self):
        none = str(self.folder / "none")
        self.refused("partition", run_dir=none, source_lang=None, says="source_lang: is needed")
        self.refused("partition", run_dir=none, target_lang="tlh_Latn",
                     says="target_lang: the model does not know 'tlh_Latn'")
        self.assertFalse(self.path("corpus", "none").exists())

    def test_another_language_is_another_corpus(self):
        self.refused("decode knn", target_lang=self.other, says="tokenised otherwise")
        self.knnseq("decode base", target_lang=self.other, run_dir=str(self.folder / "other"), ranks=1)
        first = {hypothesis["tokens"][0] for hypothesis in self.nbest("base", "other")}
        self.assertEqual(len(first), 1)
        self.assertFalse(first & set(language_tokens(self.model)))


class M2m100(Languages, ModelTest):
    model, source, target, other = "m2m100", "de", "en", "fr"

    def test_one_rank_makes_the_same(self):
        self.knnseq("run", run_dir=str(self.folder / "one"), ranks=1)
        files = [path.relative_to(self.folder / "run") for folder in
                 ("corpus", "datastore", "codebook", "index", "decode")
                 for path in sorted(self.path(folder).rglob("*")) if path.is_file()]
        self.assertGreaterEqual(len(files), 16)
        for name in files:
            self.assertEqual(self.path(name).read_bytes(), self.path(name, "one").read_bytes(), name)


class Nllb(Languages, ModelTest):
    model, source, target, other = "nllb", "deu_Latn", "eng_Latn", "fra_Latn"


class Fairseq(ModelTest):
    """Encoder and decoder of different widths; keys of a layer in the middle."""

    @classmethod
    def setUpClass(cls):
        cls.prepare(WMT19, dictionary_pairs(target="t{}"), datastore={"key": "ffn_out", "layer": 0},
                    index={"factory": "IVF4,PQ16"})
        cls.knnseq("run")

    def test_neighbours_are_found_by_the_first_layer(self):
        self.assert_from_neighbours()
        self.assertEqual({key: self.manifest("datastore")["inputs"][key] for key in ("key", "layer")},
                         {"key": "ffn_out", "layer": 0})

    @unittest.skipUnless(shutil.which("h5dump"), "h5dump is not installed")
    def test_widths(self):
        content = self.manifest("datastore")["content"]
        self.assertEqual(self.dataset("keys")[0], [content["entries"], 16])
        self.assertEqual(self.dataset("sentence_keys")[0], [content["sentences"], 32])

    def test_layers(self):
        for layer in (2, -3):
            self.refused("partition", "--force", "--set", f"datastore.layer={layer}",
                         says=("layer", str(layer)))
        asked = ("--set", "datastore.layer=-1")
        self.refused("decode knn", *asked, says=("ffn_out of layer 0", "ffn_out of layer 1"))
        self.refused("decode knn", "--set", "datastore.key=ffn_in", says="ffn_in of layer 0")
        self.refused("encode", *asked, says="was made from other inputs: layer")
        self.assertIn("already done", self.knnseq("decode knn", "--set", "datastore.layer=-2", ranks=1))

    def test_languages_are_refused(self):
        self.refused("partition", source_lang="de", says="source_lang: fairseq models take none")
        self.refused("partition", target_lang="en", says="target_lang: fairseq models take none")
        self.refused("partition", model=str(MODELS / "marian-separate"), source_lang="de",
                     says="source_lang")

    def test_a_tokeniser_too_large_for_the_source_side(self):
        self.refused("partition", model=str(MODELS / "fairseq-prenorm"), tokenizer=str(WMT19), ranks=2,
                     says=("fairseq-prenorm", "the tokeniser has 105 tokens for the source, the model only 97"),
                     run_dir=str(self.folder / "none"))
        self.assertFalse(self.path("corpus", "none").exists())

    def test_pre_norm_and_the_last_layers_output(self):
        self.knnseq("run", model=str(MODELS / "fairseq-prenorm"), run_dir=str(self.folder / "pre"),
                    datastore={"key": "ffn_out"}, index={"factory": "PCA16,IVF4,PQ16"})
        self.assert_from_neighbours(run="pre")
        self.assertEqual(self.manifest("datastore", "pre")["inputs"]["layer"], 1)


class Ensembles(ModelTest):
    """Two models with a datastore each: run (of the first) and other."""

    @classmethod
    def setUpClass(cls):
        cls.prepare(POSTNORM, dictionary_pairs())
        cls.other = cls.folder / "model"
        copy_with_other_weights(POSTNORM, cls.other, "decoder.layers.1.self_attn.v_proj.weight")
        cls.runs = {"own": str(cls.folder / "run"), "other": str(cls.folder / "other")}
        cls.pair = [str(POSTNORM), str(cls.other)]
        cls.knnseq("run")
        cls.knnseq("run", model=str(cls.other), run_dir=cls.runs["other"])

    def decode(self, model, run, ranks=2, **datastores):
        """Decodes with and without kNN, in a run directory of its own."""
        items = [dict(item) for item in self.config["decode"]]
        for item in items[1:]:
            item.update(datastores)
        self.knnseq("decode", model=model, decode=items, run_dir=str(self.folder / run), ranks=ranks)

    def test_a_model_with_itself_is_itself(self):
        self.decode([str(POSTNORM)] * 2, "twice", datastores=[self.runs["own"]] * 2)
        for name in ("base", "knn"):
            self.assert_same_translations((name, "twice"), (name, "run"))

    def test_keys_of_the_first_model(self):
        for kind, model in {"self": [str(POSTNORM)] * 2, "pair": self.pair}.items():
            items = [{**item, "name": f"{item['name']}-{kind}"} for item in self.config["decode"]]
            self.knnseq("decode", model=model, decode=items)
        for name in ("base", "knn"):
            self.assert_same_translations((f"{name}-self", "run"), (name, "run"))
        self.assert_from_neighbours("greedy-pair")
        self.assertNotEqual(self.nbest("base-pair"), self.nbest("base"))
        self.assertIn("already done", self.knnseq("encode", model=self.pair, ranks=1))

    def test_a_datastore_for_each_model(self):
        self.decode(self.pair, "both", datastores=list(self.runs.values()))
        self.assert_from_neighbours(run="both")
        base = [self.lines("decode/base/hyp.txt", run) for run in ("both", "run", "other")]
        self.assertEqual(len(set(map(tuple, base))), 3)
        self.assertEqual(len(self.manifest("decode/knn", "both")["inputs"]["indexes"]), 2)

    def test_what_does_not_fit_together(self):
        none = {"run_dir": str(self.folder / "none")}
        runs = list(self.runs.values())
        for datastores, says in ((runs[::-1], "made by another model"),
                                 (runs[:1], "1 for 2 models")):
            self.refused("decode knn", model=self.pair, knn={**self.config["knn"],
                                                             "datastores": datastores},
                         says=says, **none)
        for stage in ("partition", "decode base"):
            self.refused(stage, model=[str(WMT19), str(POSTNORM)], ranks=2,
                         says="the tokeniser has 105 tokens for the source, the model only 104", **none)
            self.refused(stage, model=[str(POSTNORM), str(WMT19)],
                         says="the tokeniser has 104 tokens, the model only 98", **none)


class TorchScript(ModelTest):
    """An archive with a tokeniser that was not made for it, but whose tokens it has."""

    @classmethod
    def setUpClass(cls):
        cls.prepare(MBART, dictionary_pairs(), datastore={"key": "ffn_out", "layer": -2},
                    index={"factory": "IVF4,PQ16"})
        tokenizer = cls.folder / "tokenizer"
        tokenizer.mkdir()
        for name in ("config.json", "fairseq_tokenizer.json"):
            shutil.copy(POSTNORM / name, tokenizer / name)
        for name in ("dict.source.txt", "dict.target.txt"):
            lines = (POSTNORM / name).read_text(encoding="utf-8").splitlines(keepends=True)
            (tokenizer / name).write_text("".join(lines[:96]), encoding="utf-8")
        cls.config["tokenizer"] = str(tokenizer)
        cls.knnseq("run")

    def test_translations(self):
        self.assert_from_neighbours()
        bad = {token for hypothesis in self.nbest("base") for token in hypothesis["tokens"]} & {6}
        self.assertFalse(bad)  # knnseq.json forbids it

    def test_an_ensemble_with_itself(self):
        self.knnseq("decode base", model=[str(MBART)] * 2, run_dir=str(self.folder / "twice"), ranks=1)
        self.assert_same_translations(("base", "twice"), ("base", "run"))

    def test_refusals(self):
        none = {"run_dir": str(self.folder / "none")}
        self.refused("partition", tokenizer=None, says=("tokenizer", "is required with a TorchScript"),
                     **none)
        self.refused("partition", tokenizer=str(POSTNORM),
                     says="the tokeniser has 104 tokens, the model only 100", **none)
        self.refused("partition", model=str(DATA / "torchscript/t5/model.pt"),
                     says="end of sentence and pad are 1 and 0 for the model, 2 and 1", **none)
        self.refused("partition", model=str(self.folder / "none.pt"), says="none.pt", **none)
        self.refused("partition", dtype="bf16", says="bf16", **none)
        # Later models and what only decodings ask for are refused as early.
        bf16 = [{**item, "dtype": "bf16"} for item in self.config["decode"]]
        for models in ([str(MBART)], [str(POSTNORM), str(MBART)]):
            self.refused("partition", model=models, decode=bf16,
                         says=(str(MBART), "TorchScript models are run in fp32 only, not bf16"), **none)
        self.refused("encode", "--force", datastore={"layer": -2}, says="ffn_in")
        self.refused("encode", "--force", datastore={"key": "ffn_out"}, says="layer")
        self.assertTrue(self.path("datastore/manifest.json").exists())


class Commands(ModelTest):
    """Text in capitals through a model that knows none, and back; and warnings of Moses's marks."""
    lower, upper = "tr A-Z a-z", "tr a-z A-Z"

    @classmethod
    def setUpClass(cls):
        cls.prepare(POSTNORM, dictionary_pairs("S{}", "S{}"), postprocess=cls.upper,
                    preprocess={"source": cls.lower, "target": cls.lower})
        cls.knnseq("run")

    def test_plain_text_in_and_out(self):
        self.assert_from_neighbours()
        for name in ("base", "knn"):
            self.assertEqual(self.path(f"decode/{name}/src.txt").read_bytes(),
                             (self.folder / "test.source").read_bytes())
            hypotheses = self.lines(f"decode/{name}/hyp.txt")
            self.assertEqual(hypotheses, [hypothesis["text"] for hypothesis in self.nbest(name)])
            self.assertTrue(all(re.fullmatch("(S[0-9]+ ?)+", line) for line in hypotheses))

    def test_the_same_as_of_prepared_text(self):
        pairs = dictionary_pairs()
        for number, side in enumerate(("source", "target")):
            text = "".join(pair[number] + "\n" for pair in pairs)
            (self.folder / f"lower.{side}").write_text(text, encoding="utf-8")
        self.knnseq("partition", run_dir=str(self.folder / "lower"), preprocess={}, corpus={
            side: str(self.folder / f"lower.{side}") for side in ("source", "target")})
        # The label names the tokeniser with its commands by a hash: all that differs.
        lower, own = (re.sub(rb"[0-9a-f]{32}", b"", self.path("corpus/shard-00000.h5", run).read_bytes())
                      for run in ("lower", "run"))
        self.assertEqual(lower, own)

    def test_commands_that_fail(self):
        none = {"run_dir": str(self.folder / "none")}
        for side, command, says in (("source", "sed 2d", "got 70 lines and gave 69"),
                                    ("target", "false", "exit status 1")):
            self.refused("partition", preprocess={"source": self.lower, side: command}, ranks=2,
                         says=(f"'{command}'", says), **none)
        self.refused("decode base", preprocess={"source": "sed 2d"},
                     says=("'sed 2d'", "got 16 lines and gave 15"), **none)
        self.refused("decode base", postprocess="sed 1d", ranks=2,
                     says=("'sed 1d'", "got 1 lines and gave 0"), **none)
        self.assertFalse(self.path("corpus", "none").exists())  # only begun: not left behind
        self.assertFalse(self.path("decode/base", "none").exists())  # refused before the first translation

    def test_translations_outlive_a_filter_that_fails(self):
        """One that is slow, too: ranks that wait for it for longer than timeout_seconds hear from it."""
        late = {"run_dir": str(self.folder / "late")}
        self.refused("decode base", postprocess="sed 2d", ranks=2,
                     says=("'sed 2d'", "got 16 lines and gave 15"), **late)
        journals = {path: path.read_bytes() for path in self.path("decode/base", "late").glob("*.journal.*")}
        self.assertTrue(journals)
        text = self.knnseq("decode base", postprocess=f"sh -c '{self.upper}; sleep 5'", ranks=2,
                           timeout_seconds=4, **late)
        self.assertIn("going on where an earlier run stopped", text)
        self.assertEqual(self.lines("decode/base/hyp.txt", "late"), self.lines("decode/base/hyp.txt"))
        self.assertEqual(self.manifest("decode/base", "late")["inputs"]["postprocess"],
                         f"sh -c '{self.upper}; sleep 5'")

    def test_a_changed_script_is_a_changed_input(self):
        script = self.folder / "upper.sh"
        script.write_text(self.upper + "\n", encoding="utf-8")
        item = {"decode": [{**self.config["decode"][0], "name": "script"}]}
        self.knnseq("decode script", postprocess=f"sh {script}", ranks=1, **item)
        script.write_text(self.upper + " \n", encoding="utf-8")
        self.refused("decode script", postprocess=f"sh {script}", says="inputs: postprocess", **item)

    def test_changed_commands(self):
        source = {"source": "tr A-Y a-y", "target": self.lower}
        self.refused("decode knn", preprocess=source, says="tokenised otherwise")
        self.refused("encode", preprocess=source, says="tokenised for another model, language or command")
        self.refused("partition", preprocess=source, says="was made from other inputs")
        self.refused("decode base", postprocess="cat", says="was made from other inputs: postprocess")
        before = self.lines("decode/base/hyp.txt")
        copy = {"decode": [{**self.config["decode"][0], "name": "lower"}]}
        self.knnseq("decode lower", postprocess="cat", ranks=1, **copy)
        self.knnseq("decode lower", "--force", postprocess="sed 's/^/> /'", ranks=1, **copy)
        self.assertEqual(self.lines("decode/lower/hyp.txt"), ["> " + line.lower() for line in before])

    def test_marks_of_moses_are_noticed(self):
        path = self.folder / "escaped"
        lines = (self.folder / "test.target").read_text(encoding="utf-8").splitlines()
        lines[2] += " &apos;s"
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        item = {**self.config["decode"][0], "name": "escaped", "reference": str(path)}
        self.knnseq("decode escaped", decode=[item], ranks=1)
        text = self.knnseq("evaluate", decode=[item], ranks=1)
        warnings = [line for line in text.splitlines() if "Moses" in line]
        self.assertEqual(len(warnings), 1, text)
        self.assertIn("decode/escaped/ref.txt:3: '&apos;' looks like Moses-tokenised text (1 such",
                      warnings[0])
        self.assertNotIn("Moses", self.knnseq("evaluate", ranks=1))


class NumberTypes(ModelTest):
    @classmethod
    def setUpClass(cls):
        cls.prepare(POSTNORM, dictionary_pairs())
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if os.name == "posix" else ""
        cls.has_bf16 = bool(re.search("avx512_bf16|amx_bf16", flags))

    def test_fp16(self):
        for key in ("dtype", "datastore.dtype", "decode.1.dtype"):
            self.refused("partition", "--set", f"{key}=fp16", says=("fp16", "fp32"),
                         run_dir=str(self.folder / "none"))
        self.assertFalse(self.path("corpus", "none").exists())

    def test_bf16(self):
        wanted = {"dtype": "bf16"}
        if not self.has_bf16:
            for section in ("datastore", "beam_search"):
                self.refused("partition", says=("AVX512-BF16", "fp32"), **{section: wanted})
            return
        beam = self.config["beam_search"]
        self.knnseq("run", datastore=wanted)
        self.assert_from_neighbours()  # of keys in bf16, queries in fp32
        self.refused("encode", says="was made from other inputs: dtype")
        items = [{**item, "name": item["name"] + "-bf16"} for item in self.config["decode"]]
        self.knnseq("decode", datastore=wanted, decode=items, beam_search={**beam, **wanted})
        self.assert_from_neighbours("greedy-bf16")
        self.assertNotEqual(self.nbest("base-bf16"), self.nbest("base"))
        self.assertEqual(self.manifest("decode/base-bf16")["inputs"]["dtype"], "bf16")
        self.refused("decode base", says="was made from other inputs: dtype", datastore=wanted, **wanted)


if __name__ == "__main__":
    unittest.main()
