"""scripts/import_fairseq.py and scripts/to_safetensors.py: what they make of checkpoints that
fairseq wrote (tests/support/make_fairseq_reference.py), and what they refuse. Needs NumPy."""
import argparse
import contextlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import types
import unittest
import zipfile
from collections import OrderedDict
from pathlib import Path
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import import_fairseq  # noqa: E402
import tensor_files  # noqa: E402

CHECKPOINTS, MODELS = ROOT / "tests/data/fairseq", ROOT / "tests/data/models"
VARIANTS = ["postnorm", "prenorm", "wmt19-like"]


# ---- a writer of checkpoints without PyTorch ----

class Shared:
    """Memory that several tensors of a checkpoint can share."""

    def __init__(self, array, dtype):
        self.array, self.dtype = array, dtype


class View:
    def __init__(self, shared, offset, shape, strides):
        self.given = (shared, offset, shape, strides, False, OrderedDict())


def fake_torch():
    """Modules of the names that a checkpoint refers to."""
    torch, inner = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in tensor_files.STORAGE_TYPES:
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        pass

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    inner._rebuild_tensor_v2 = _rebuild_tensor_v2
    return {"torch": torch, "torch._utils": inner}


def write_checkpoint(path, value):
    """What torch.save writes of a value with Views and NumPy arrays as tensors."""
    modules, shared, names = fake_torch(), [], {}
    types_of = {dtype: name for name, dtype in tensor_files.STORAGE_TYPES.items()}
    dtypes = {np.dtype(kind): dtype for dtype, kind in tensor_files.NUMPY_TYPES.items()
              if dtype != "BF16"}

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if not isinstance(thing, Shared):
                return None
            if id(thing) not in names:
                names[id(thing)] = str(len(shared))
                shared.append(thing)
            return ("storage", getattr(modules["torch"], types_of[thing.dtype]), names[id(thing)],
                    "cpu", thing.array.size)

        def reducer_override(self, thing):
            if isinstance(thing, np.ndarray):
                flat = Shared(thing.reshape(-1), dtypes[thing.dtype])
                steps = tuple(step // thing.itemsize for step in thing.strides)
                thing = View(flat, 0, thing.shape, steps)
            if isinstance(thing, View):
                return modules["torch._utils"]._rebuild_tensor_v2, thing.given
            return NotImplemented

    with mock.patch.dict(sys.modules, modules), zipfile.ZipFile(path, "w") as archive:
        with archive.open("archive/data.pkl", "w") as out:
            Pickler(out, 2).dump(value)
        for number, thing in enumerate(shared):
            archive.writestr(f"archive/data/{number}", thing.array.tobytes())


class Harmful:
    """Unpickled the usual way it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


# ---- tests ----

class ImporterTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="knnseq-importers-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.out = self.folder / "out"

    def run_script(self, name, *words, code=0):
        done = subprocess.run([sys.executable, str(ROOT / "scripts" / name), *map(str, words)],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stderr if code else done.stdout

    def fairseq(self, variant, *options, checkpoint=None, source=None, target=None, code=0):
        folder = CHECKPOINTS / variant
        return self.run_script("import_fairseq.py", checkpoint or folder / "checkpoint.pt",
                               "--dict-src", source or folder / "dict.src.txt", "--dict-tgt",
                               target or folder / "dict.tgt.txt", "--out", self.out, *options,
                               code=code)

    def refused(self, *says, variant="prenorm", **options):
        """One line that holds all of `says`; nothing left behind."""
        text = self.fairseq(variant, code=2, **options)
        self.assertEqual(len(text.splitlines()), 1, text)
        for words in says:
            self.assertIn(words, text)
        self.assertEqual([path.name for path in self.folder.iterdir() if "out" in path.name], [])

    def parts(self, variant):
        """(options, tensors as NumPy arrays) of a stored checkpoint."""
        state = tensor_files.read_checkpoint(CHECKPOINTS / variant / "checkpoint.pt")
        options = tensor_files.plain(state.get("args") or state["cfg"])
        return (options.get("model", options),
                {name: tensor.array() for name, tensor in state["model"].items()})

    def save_old(self, options, tensors):
        path = self.folder / "checkpoint.pt"
        path.unlink(missing_ok=True)
        write_checkpoint(path, {"args": argparse.Namespace(**options), "model": tensors})
        return path

    def assert_imported(self, variant, segmentation="none"):
        stored = MODELS / f"fairseq-{variant}"
        for name in ("config.json", "model.safetensors", "dict.source.txt", "dict.target.txt"):
            self.assertEqual((self.out / name).read_bytes(), (stored / name).read_bytes(), name)
        text = (self.out / "fairseq_tokenizer.json").read_text(encoding="utf-8")
        self.assertEqual(json.loads(text), {"segmentation": segmentation})


class Fairseq(ImporterTest):
    def test_stored_checkpoints_give_stored_models(self):
        for variant in VARIANTS:
            with self.subTest(variant):
                self.out = self.folder / variant
                self.fairseq(variant)
                self.assert_imported(variant)
                self.assertEqual(len(list(self.out.iterdir())), 5)

    def test_other_forms_of_options_give_the_same(self):
        options, tensors = self.parts("prenorm")
        nested = {key: value for key, value in options.items()
                  if not key.startswith(("encoder_", "decoder_"))}
        for side in ("encoder", "decoder"):
            nested[side] = {key.removeprefix(side + "_"): value for key, value in options.items()
                            if key.startswith(side + "_")}
        for model in (options, nested, argparse.Namespace(**options)):
            path = self.folder / "checkpoint.pt"
            path.unlink(missing_ok=True)
            write_checkpoint(path, {"args": None, "model": tensors,
                                    "cfg": {"model": model, "task": {"_name": "translation"}}})
            self.fairseq("prenorm", checkpoint=path)
            self.assert_imported("prenorm")
            shutil.rmtree(self.out)

    def test_defaults(self):
        options, tensors = self.parts("postnorm")
        few = {key: value for key, value in options.items() if key in (
            "arch", "share_all_embeddings", "encoder_embed_dim", "encoder_ffn_embed_dim",
            "encoder_layers", "encoder_attention_heads", "decoder_ffn_embed_dim", "decoder_layers",
            "decoder_attention_heads")}
        self.fairseq("postnorm", checkpoint=self.save_old(few, tensors))
        self.assert_imported("postnorm")

    def test_segmentation(self):
        for option, suffix, kind in (("--bpe-codes", "codes", "bpe"),
                                     ("--sentencepiece", "spm", "sentencepiece")):
            one, other = self.folder / "one", self.folder / "other"
            one.write_text("one", encoding="utf-8")
            other.write_text("other", encoding="utf-8")
            for given, target in (([option, one], one),
                                  ([f"{option}-src", one, f"{option}-tgt", other], other)):
                self.fairseq("postnorm", *given)
                self.assert_imported("postnorm", kind)
                for side, path in (("source", one), ("target", target)):
                    self.assertEqual((self.out / f"{side}.{suffix}").read_bytes(),
                                     path.read_bytes())
                shutil.rmtree(self.out)
        for wrong in (["--bpe-codes-src", one], ["--bpe-codes", one, "--sentencepiece", one],
                      ["--bpe-codes", one, "--bpe-codes-src", one, "--bpe-codes-tgt", one]):
            self.assertIn("error:", self.fairseq("postnorm", *wrong, code=2))
        text = self.fairseq("postnorm", "--bpe-codes", self.folder / "none", code=2)
        self.assertIn("none: No such file", text)
        self.assertFalse(list(self.folder.glob("out*")))

    def test_an_existing_directory_is_left_alone(self):
        self.out.mkdir()
        self.assertIn("is there already", self.fairseq("postnorm", code=2))
        self.assertEqual(list(self.out.iterdir()), [])

    def test_unsupported_options_are_refused_by_name(self):
        options, tensors = self.parts("prenorm")
        for name, value in {
                "adaptive_input": True, "adaptive_softmax_cutoff": [10, 20], "char_inputs": True,
                "cross_self_attention": True, "no_cross_attention": True, "scale_fc": True,
                "scale_heads": True, "quant_noise_pq": 0.1, "quant_noise_scalar": 0.5,
                "base_layers": 1, "moe_freq": 2, "encoder_layers_to_keep": "0",
                "decoder_layers_to_keep": "0,1", "merge_src_tgt_embed": True,
                "decoder_output_dim": 12, "decoder_input_dim": 12, "activation_fn": "tanh",
                "encoder_layers": "two", "decoder_embed_dim": 25, "task": "translation_lev",
                "arch": "transformer_lm_gpt"}.items():
            with self.subTest(name):
                path = self.save_old(options | {name: value}, tensors)
                self.refused(name if name not in ("task", "arch") else str(value),
                             str(value), checkpoint=path)
        for name in ("lightconv", "multilingual_transformer", "levenshtein_transformer"):
            path = self.save_old(options | {"arch": name}, tensors)
            self.refused(f"architecture {name} is not supported", checkpoint=path)

    def test_harmless_options_are_not(self):
        options, tensors = self.parts("prenorm")
        self.fairseq("prenorm", checkpoint=self.save_old(options | {
            "encoder_layerdrop": 0.2, "decoder_layerdrop": 0.1, "relu_dropout": 0.1,
            "alignment_heads": 1, "adaptive_softmax_cutoff": None,
            "decoder_output_dim": "${model.decoder.embed_dim}"}, tensors))
        self.assert_imported("prenorm")

    def test_tensors_that_do_not_fit(self):
        options, tensors = self.parts("prenorm")
        name = "decoder.layers.1.fc1.weight"
        less = {key: value for key, value in tensors.items() if key != name}
        for changed, says in (
                (tensors | {"decoder.layers.1.extra": tensors[name]},
                 "unknown tensors: decoder.layers.1.extra"),
                (less, f"missing tensors: {name}"),
                (tensors | {name: tensors[name][:-1]},
                 f"{name} is 31 x 24, its options say 32 x 24"),
                (tensors | {name: tensors[name].astype(np.int32)}, f"{name} is not a tensor of fl"),
                (tensors | {"encoder.version": np.float32([1])}, "encoder.version 1")):
            with self.subTest(says):
                self.refused(says, checkpoint=self.save_old(options, changed))
        options, tensors = self.parts("postnorm")
        changed = tensors["decoder.embed_tokens.weight"].copy()
        changed[7, 3] += 1
        tensors["decoder.embed_tokens.weight"] = changed
        self.refused("differ, although they are shared", variant="postnorm",
                     checkpoint=self.save_old(options, tensors))

    def test_old_names(self):
        options, tensors = self.parts("prenorm")
        for name in list(tensors):
            for number, norm in enumerate(("self_attn_layer_norm", "encoder_attn_layer_norm",
                                           "final_layer_norm")):
                if name.startswith("decoder.layers") and norm in name:
                    tensors[name.replace(norm, f"layer_norms.{number}")] = tensors.pop(name)
            if ".q_proj." in name:
                tensors[name.replace("q_proj.", "in_proj_")] = np.concatenate(
                    [tensors.pop(name.replace("q_proj", f"{part}_proj")) for part in "qkv"])
        tensors["decoder.embed_out"] = tensors.pop("decoder.output_projection.weight")
        self.fairseq("prenorm", checkpoint=self.save_old(options, tensors))
        self.assert_imported("prenorm")

    def test_closing_norm_of_old_decoders(self):
        options, tensors = self.parts("prenorm")
        tensors = {name: value for name, value in tensors.items()
                   if not name.startswith("decoder.layer_norm.")}
        for changed in ({"decoder.version": np.float32([2])}, {}):
            given = options if changed else options | {"no_decoder_final_norm": True}
            self.fairseq("prenorm", checkpoint=self.save_old(given, tensors | changed))
            config = json.loads((self.out / "config.json").read_text(encoding="utf-8"))
            self.assertIs(config["decoder_final_norm"], False)
            shutil.rmtree(self.out)

    def test_options_that_hold_themselves(self):
        options, tensors = self.parts("prenorm")
        circle = []
        circle.append(circle)
        self.refused("nested too deeply",
                     checkpoint=self.save_old(options | {"x": circle}, tensors))

    def test_dictionaries(self):
        usual = (CHECKPOINTS / "prenorm/dict.src.txt").read_text(encoding="utf-8")
        count = usual.count("\n")
        path = self.folder / "dict.txt"
        for text, says in (
                (usual + "more 1\n", [f"{count + 5} symbols ({count + 1} lines and 4 special",
                                      f"encoder.embed_tokens.weight has {count + 4} rows"]),
                (usual + "s3 1\n", [f"dict.txt:{count + 1}: s3 for the second time"]),
                (usual + "<unk> 1\n", ["<unk> for the second time"]),
                (usual + "word\n", [f"dict.txt:{count + 1}: not a symbol and its count"])):
            path.write_text(text, encoding="utf-8")
            self.refused(*says, source=path)
        path.write_bytes(b"\xff 1\n")
        self.refused("dict.txt: not UTF-8", source=path)
        self.refused("none.txt: No such file", target=self.folder / "none.txt")
        self.refused("not the same as", variant="postnorm", target=self.renamed("postnorm"))
        path.write_text(usual.replace("s9 991\n", "s3 5 #fairseq:overwrite\n"), encoding="utf-8")
        self.fairseq("prenorm", source=path)

    def renamed(self, variant):
        path = self.folder / "dict.txt"
        text = (CHECKPOINTS / variant / "dict.tgt.txt").read_text(encoding="utf-8")
        path.write_text(text.replace("s5 ", "z5 "), encoding="utf-8")
        return path

    def test_dictionaries_that_look_swapped(self):
        """Only those of one size can be: sizes are compared with the tables."""
        for language, word in (("de", "der"), ("en", "the")):
            words = "".join(f"{word}{i}@@ 1\n" for i in range(5))
            (self.folder / f"dict.{language}").write_text(words, encoding="utf-8")
            (self.folder / f"text.{language}").write_text(f"{word}1 {word}2\n{word}3 other\n", encoding="utf-8")
        for source, target, swapped in (("de", "en", False), ("en", "de", True)):
            args = argparse.Namespace(dict_src=self.folder / f"dict.{source}", dict_tgt=self.folder / f"dict.{target}",
                                      sample_src=self.folder / "text.de", sample_tgt=self.folder / "text.en")
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                import_fairseq.check_sides(args)
            shares = "0.0% of the words, the other one 75.0%" if swapped else "75.0% of the words, the other one 0.0%"
            self.assertEqual(out.getvalue().count(shares), 2, out.getvalue())
            self.assertEqual(err.getvalue().count("look swapped"), 2 if swapped else 0, err.getvalue())
        self.out = self.folder / "prenorm"
        text = self.fairseq("prenorm", "--sample-src", self.folder / "text.de")
        self.assertIn("text.de: the source dictionary has 0.0% of the words", text)

    def test_packages_that_are_missing_are_named(self):
        for script, package in (("import_fairseq.py", "numpy"), ("to_safetensors.py", "numpy"),
                                ("check_datastore.py", "faiss-cpu, h5py, numpy"),
                                ("reference_knnmt.py", "faiss-cpu, h5py, numpy, pyyaml"),
                                ("export_torchscript.py", "torch, transformers"), ("train_demo_model.py", "sacrebleu"),
                                ("export_sentence_encoder.py", "torch, numpy")):
            done = subprocess.run([sys.executable, "-S", ROOT / "scripts" / script, "x"], capture_output=True, text=True,
                                  timeout=60, env={})
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(f"{script}: ", done.stderr)
            self.assertIn(package, done.stderr)
            self.assertIn("pip install ", done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_nothing_in_a_checkpoint_is_executed(self):
        options, tensors = self.parts("prenorm")
        trace = self.folder / "trace"
        path = self.save_old(options | {"user_dir": Harmful(trace)}, tensors)
        self.fairseq("prenorm", checkpoint=path)
        self.assert_imported("prenorm")
        shutil.rmtree(self.out)
        self.refused("activation_fn", checkpoint=self.save_old(
            options | {"activation_fn": Harmful(trace)}, tensors))
        path.write_bytes(pickle.dumps(Harmful(trace), 2))
        self.refused("not a PyTorch checkpoint", checkpoint=path)
        self.assertFalse(trace.exists())

    def test_damaged_checkpoints(self):
        path = self.folder / "checkpoint.pt"
        for variant in VARIANTS:
            data = (CHECKPOINTS / variant / "checkpoint.pt").read_bytes()
            for part in (0, 1, 100, len(data) // 10, len(data) // 2, len(data) - 1):
                path.write_bytes(data[:part])
                self.refused("checkpoint.pt: ", variant=variant, checkpoint=path)
        self.refused("nowhere.pt: No such file", checkpoint=self.folder / "nowhere.pt")
        write_checkpoint(path, {"weights": np.zeros(3, np.float32)})
        self.refused("has neither 'args' nor 'cfg'", checkpoint=path)


class ToSafetensors(ImporterTest):
    def setUp(self):
        super().setUp()
        random = np.random.default_rng(1)
        table = Shared(random.standard_normal(60).astype(np.float32), "F32")
        brain = Shared(random.integers(0, 1 << 16, 6, np.uint16), "BF16")
        self.state = OrderedDict(
            shared=View(table, 0, (12, 5), (5, 1)), again=View(table, 0, (12, 5), (5, 1)),
            turned=View(table, 2, (5, 4), (1, 15)),
            half=random.standard_normal(7).astype(np.float16),
            brain=View(brain, 0, (2, 3), (3, 1)), number=np.array(2.5), whole=np.arange(4),
            flag=np.array([True, False, True]), empty=np.zeros((0, 3), np.float32))
        whole = table.array.reshape(12, 5)
        turned = np.stack([table.array[2 + i::15][:4] for i in range(5)])
        self.values = self.state | {"shared": whole, "again": whole, "turned": turned,
                                    "brain": brain.array.reshape(2, 3)}

    def assert_converted(self):
        found = tensor_files.read_safetensors(self.folder / "model.safetensors")
        self.assertEqual(set(found), set(self.values))
        for name, value in self.values.items():
            self.assertEqual(found[name].shape, value.shape)
            self.assertEqual(found[name].array().dtype, value.dtype)
            np.testing.assert_array_equal(found[name].array(), value, name)
        self.assertEqual((found["brain"].dtype, found["half"].dtype), ("BF16", "F16"))
        data = (self.folder / "model.safetensors").read_bytes()
        length = int.from_bytes(data[:8], "little")
        self.assertEqual(length % 8, 0)
        self.assertEqual(json.loads(data[8:8 + length])["__metadata__"], {"format": "pt"})

    def refused(self, *says):
        text = self.run_script("to_safetensors.py", self.folder, code=2)
        self.assertEqual(len(text.splitlines()), 1, text)
        for words in says:
            self.assertIn(words, text)
        self.assertEqual(list(self.folder.glob("*.partial")), [])

    def test_whole(self):
        write_checkpoint(self.folder / "pytorch_model.bin", self.state)
        self.run_script("to_safetensors.py", self.folder)
        self.assert_converted()
        self.refused("model.safetensors: is there already")
        (self.folder / "model.safetensors").write_bytes(b"old")
        self.run_script("to_safetensors.py", self.folder, "--force")
        self.assert_converted()

    def test_sharded(self):
        names, listed = list(self.state), {}
        for number, chosen in enumerate((names[:3], names[3:7], names[7:]), 1):
            part = f"pytorch_model-{number:05}-of-00003.bin"
            write_checkpoint(self.folder / part, {name: self.state[name] for name in chosen})
            listed |= {name: part for name in chosen}
        index = self.folder / "pytorch_model.bin.index.json"
        index.write_text(json.dumps({"metadata": {}, "weight_map": listed}), encoding="utf-8")
        self.run_script("to_safetensors.py", self.folder)
        self.assert_converted()
        (self.folder / "model.safetensors").unlink()
        index.write_text(json.dumps({"weight_map": listed | {"absent": part}}), encoding="utf-8")
        self.refused("no absent, which the index puts there")
        (self.folder / part).unlink()
        self.refused(part, "No such file")
        index.write_text("{", encoding="utf-8")
        self.refused("not an index of weights")
        self.assertFalse((self.folder / "model.safetensors").exists())

    def test_bad_files(self):
        self.refused("pytorch_model.bin: No such file")
        path = self.folder / "pytorch_model.bin"
        write_checkpoint(path, {"a": np.zeros(4), "b": "text"})
        self.refused("'b' is not a tensor")
        trace = self.folder / "trace"
        write_checkpoint(path, {"a": np.zeros(4), "b": Harmful(trace)})
        self.refused("'b' is not a tensor")
        outside = View(Shared(np.zeros(4), "F64"), 1, (2, 2), (2, 1))
        write_checkpoint(path, {"a": outside})
        self.refused("a tensor outside of its storage")
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
        self.refused("pytorch_model.bin: not a PyTorch checkpoint")
        self.assertFalse(trace.exists() or (self.folder / "model.safetensors").exists())


if __name__ == "__main__":
    unittest.main()
