#!/usr/bin/env python3
"""Make a knnseq model directory of a fairseq checkpoint.

    import_fairseq.py CHECKPOINT --dict-src FILE --dict-tgt FILE --out DIR
                      [--bpe-codes FILE | --bpe-codes-src FILE --bpe-codes-tgt FILE]
                      [--sentencepiece FILE | --sentencepiece-src FILE --sentencepiece-tgt FILE]
                      [--sample-src FILE --sample-tgt FILE]

CHECKPOINT is a checkpoint_*.pt or model.pt of the task `translation` with an architecture
`transformer*`: post- or pre-norm, shared or separate embeddings, sinusoidal, learned or no
positions, activations relu, gelu, swish. Options that would change what is computed and are not
supported are refused by name. The dictionaries are fairseq's dict.*.txt; the BPE codes are
fastBPE's or subword-nmt's, the SentencePiece models those that the training text was segmented
with.

With a sample of text of each side, as it was before segmentation, the dictionaries' coverage of its words is
told, with a warning if they look swapped.

DIR gets config.json, model.safetensors (fairseq's present names; shared tables once),
dict.source.txt, dict.target.txt, fairseq_tokenizer.json, and {source,target}.codes or
{source,target}.spm. It is written whole or not at all. Nothing in the checkpoint is executed.
Needs Python and NumPy.
"""
import argparse
import json
import os
import re
import shutil
import sys
from pathlib import Path

import tensor_files
from tensor_files import FileError, Tensor

TASKS = {"translation"}
OTHER_MODELS = ("transformer_lm", "transformer_ulm", "transformer_from_pretrained",
                "transformer_pointer_generator", "transformer_monotonic")
ACTIVATIONS = {"relu", "gelu", "swish"}
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
FLOATS = {"F64", "F32", "F16", "BF16"}

# What fairseq takes for an option that a checkpoint lacks.
DEFAULTS = {"activation_fn": "relu", "no_decoder_final_norm": False, "layernorm_embedding": False,
            "no_scale_embedding": False, "no_token_positional_embeddings": False,
            "share_all_embeddings": False, "share_decoder_input_output_embed": False,
            "encoder_embed_dim": 512, "encoder_ffn_embed_dim": 2048,
            **{f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in
               {"layers": 6, "attention_heads": 8, "normalize_before": False,
                "learned_pos": False}.items()}}

# Options that change what is computed at inference unless they are off. (The quantisation noises
# do: `pq` adds a linear layer after the embeddings, `scalar` quantises all weights.)
UNSUPPORTED = [
    "adaptive_input", "adaptive_softmax_cutoff", "tie_adaptive_proj", "tie_adaptive_weights",
    "char_inputs", "character_embeddings", "cross_self_attention", "no_cross_attention",
    "layer_wise_attention", "merge_src_tgt_embed", "quant_noise_pq", "quant_noise_scalar",
    "scale_attn", "scale_fc", "scale_heads", "scale_resids", "base_layers", "moe_freq",
    "encoder_moe_freq", "decoder_moe_freq", "moe_expert_count", "encoder_layers_to_keep",
    "decoder_layers_to_keep", "xformers_att_config", "encoder_xformers_att_config",
    "decoder_xformers_att_config"]


# ---- options ----

def read_options(state):
    """(options of the model, name of the task) of a checkpoint, old (args) or new (cfg)."""
    args = tensor_files.plain(state.get("args"))
    if isinstance(args, dict):
        return args, args.get("task", "translation")
    config = tensor_files.plain(state.get("cfg"))
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise FileError("has neither 'args' nor 'cfg' with a model in it")
    options = {}
    for key, value in config["model"].items():
        if key in ("encoder", "decoder", "quant_noise") and isinstance(value, dict):
            options.update({f"{key}_{name}": item for name, item in value.items()})
        else:
            options[key] = value
    task = config.get("task")
    name = task.get("_name", task.get("task")) if isinstance(task, dict) else task
    return options, name or "translation"


def architecture_of(options, task):
    name = options.get("arch") or options.get("_name")
    if not isinstance(name, str):
        raise FileError("does not say its architecture")
    if not name.startswith("transformer") or name.startswith(OTHER_MODELS):
        raise FileError(f"architecture {name} is not supported")
    if task not in TASKS:
        raise FileError(f"task {task} is not supported")
    return name


def complete(options):
    """The options with fairseq's defaults; refuses what is not supported."""
    full = DEFAULTS | {key: value for key, value in options.items() if value is not None}
    for name in ("embed_dim", "ffn_embed_dim"):
        full.setdefault(f"decoder_{name}", full[f"encoder_{name}"])
    for side in ("source", "target"):
        full.setdefault(f"max_{side}_positions", full.get("max_positions", 1024))
    for name in UNSUPPORTED:
        if full.get(name) not in (None, False, 0, "", []):
            raise FileError(f"option {name} = {full[name]!r} is not supported")
    for name in ("decoder_input_dim", "decoder_output_dim"):
        value = full.get(name, full["decoder_embed_dim"])
        if value not in (full["decoder_embed_dim"], "${model.decoder.embed_dim}"):
            raise FileError(f"option {name} = {value!r} other than decoder_embed_dim = "
                            f"{full['decoder_embed_dim']!r} is not supported")
    if full["activation_fn"] not in ACTIVATIONS:
        raise FileError(f"option activation_fn = {full['activation_fn']!r} is not supported")
    return full


def make_config(options, task):
    """config.json, the two sizes of vocabularies apart."""
    architecture, full = architecture_of(options, task), complete(options)
    config = {"model_type": "fairseq_transformer", "architecture": architecture,
              "activation_fn": full["activation_fn"]}

    def put(kind, *names):
        for name in names:
            if type(full[name]) is not kind or (kind is int and full[name] < 1):
                raise FileError(f"option {name} = {full[name]!r} is not usable")
            config[name] = full[name]

    for side in ("encoder", "decoder"):
        put(int, *(f"{side}_{name}" for name in ("embed_dim", "ffn_embed_dim", "layers",
                                                 "attention_heads")))
        put(bool, f"{side}_normalize_before", f"{side}_learned_pos")
        if config[f"{side}_embed_dim"] % config[f"{side}_attention_heads"]:
            raise FileError(f"{side}_embed_dim is not a multiple of {side}_attention_heads")
    put(bool, "no_decoder_final_norm", "layernorm_embedding", "no_scale_embedding",
        "no_token_positional_embeddings", "share_all_embeddings",
        "share_decoder_input_output_embed")
    put(int, "max_source_positions", "max_target_positions")
    without = config.pop("no_decoder_final_norm")
    config["decoder_final_norm"] = config["decoder_normalize_before"] and not without
    config["share_decoder_input_output_embed"] |= config["share_all_embeddings"]
    return config


# ---- tensors ----

def upgrade(tensors):
    """(tensors under fairseq's present names, {side: version of its layers})."""
    norms = {"encoder": ["self_attn_layer_norm", "final_layer_norm"],
             "decoder": ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"]}
    out, versions = {}, {"encoder": 1.0, "decoder": 1.0}
    for name, tensor in tensors.items():
        side = name.partition(".")[0]
        old_norm = re.fullmatch(r"((encoder|decoder)\.layers\.\d+\.)layer_norms\.([012])\.(\w+)",
                                name)
        if name in ("encoder.version", "decoder.version"):
            versions[side] = tensor.first()
        elif re.fullmatch(r"(en|de)coder\.embed_positions\.(_float_tensor|weights)", name):
            pass  # buffers of sinusoidal positions
        elif old_norm and int(old_norm[3]) < len(norms[side]):
            out[f"{old_norm[1]}{norms[side][int(old_norm[3])]}.{old_norm[4]}"] = tensor
        elif (name.endswith((".in_proj_weight", ".in_proj_bias")) and tensor.shape
              and tensor.shape[0] % 3 == 0):
            stem, _, kind = name.rpartition(".in_proj_")
            third = tensor.shape[0] // 3
            for i, part in enumerate("qkv"):
                out[f"{stem}.{part}_proj.{kind}"] = tensor.rows(i * third, (i + 1) * third)
        elif name == "decoder.embed_out":
            out["decoder.output_projection.weight"] = tensor
        else:
            out[name] = tensor
    return out, versions


def expected_shapes(config):
    """{name: shape} of model.safetensors; the rows of tables of words are None."""
    shapes = {}

    def linear(name, rows, columns):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (rows, columns), (rows,)

    def norm(name, width):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (width,), (width,)

    def attention(name, width, memory):
        for part, columns in (("q", width), ("k", memory), ("v", memory), ("out", width)):
            linear(f"{name}.{part}_proj", width, columns)

    for side, positions in (("encoder", "max_source_positions"),
                            ("decoder", "max_target_positions")):
        width, inner = config[f"{side}_embed_dim"], config[f"{side}_ffn_embed_dim"]
        if side == "encoder" or not config["share_all_embeddings"]:
            shapes[f"{side}.embed_tokens.weight"] = (None, width)
        if config[f"{side}_learned_pos"] and not config["no_token_positional_embeddings"]:
            shapes[f"{side}.embed_positions.weight"] = (config[positions] + 2, width)
        if config["layernorm_embedding"]:
            norm(f"{side}.layernorm_embedding", width)
        for i in range(config[f"{side}_layers"]):
            layer = f"{side}.layers.{i}"
            attention(f"{layer}.self_attn", width, width)
            norm(f"{layer}.self_attn_layer_norm", width)
            if side == "decoder":
                attention(f"{layer}.encoder_attn", width, config["encoder_embed_dim"])
                norm(f"{layer}.encoder_attn_layer_norm", width)
            linear(f"{layer}.fc1", inner, width)
            linear(f"{layer}.fc2", width, inner)
            norm(f"{layer}.final_layer_norm", width)
        if config["encoder_normalize_before" if side == "encoder" else "decoder_final_norm"]:
            norm(f"{side}.layer_norm", width)
    if not config["share_decoder_input_output_embed"]:
        shapes["decoder.output_projection.weight"] = (None, config["decoder_embed_dim"])
    return shapes


def untie(tensors, config):
    """Takes out copies of shared tables, which must be equal."""
    names = [("decoder.output_projection.weight", "decoder.embed_tokens.weight",
              config["share_decoder_input_output_embed"]),
             ("decoder.embed_tokens.weight", "encoder.embed_tokens.weight",
              config["share_all_embeddings"])]
    for copy, original, shared in names:
        if shared and copy in tensors and original in tensors:
            one, other = tensors.pop(copy), tensors[original]
            if one != other and one.array().tobytes() != other.array().tobytes():
                raise FileError(f"{copy} and {original} differ, although they are shared")


def choose_tensors(model, config):
    """The tensors of model.safetensors; config loses the closing norm that old decoders lack."""
    if not isinstance(model, dict):
        raise FileError("has no 'model' with tensors by name")
    for name, value in model.items():
        if not isinstance(name, str) or not isinstance(value, Tensor) or (
                value.dtype not in FLOATS and not name.endswith("version")):
            raise FileError(f"{name} is not a tensor of floating-point numbers")
    tensors, versions = upgrade(model)
    if versions["encoder"] < 2 and config["encoder_normalize_before"]:
        raise FileError("a pre-norm encoder without a closing norm (encoder.version 1) is not "
                        "supported")
    config["decoder_final_norm"] &= versions["decoder"] > 2
    untie(tensors, config)
    shapes = expected_shapes(config)
    unknown, absent = sorted(tensors.keys() - shapes), sorted(shapes.keys() - tensors)
    if unknown:
        raise FileError("unknown tensors: " + ", ".join(unknown))
    if absent:
        raise FileError("missing tensors: " + ", ".join(absent))
    for name, shape in shapes.items():
        found = tensors[name].shape
        if len(found) != len(shape) or any(want not in (None, size)
                                           for want, size in zip(shape, found)):
            wanted = " x ".join("words" if size is None else str(size) for size in shape)
            raise FileError(f"{name} is {' x '.join(map(str, found))}, its options say {wanted}")
    return tensors


# ---- dictionaries ----

def read_dictionary(path):
    """The symbols of a dict.*.txt by number."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise FileError(f"{path}: not UTF-8") from None
    if lines[-1] == "":
        lines.pop()
    symbols, known = list(SPECIAL), set(SPECIAL)
    for number, line in enumerate(lines, 1):
        symbol, _, count = line.rstrip().rpartition(" ")
        overwrite = count == "#fairseq:overwrite"
        if overwrite:
            symbol, _, count = symbol.rpartition(" ")
        if not symbol or not re.fullmatch(r"[+-]?\d+", count):
            raise FileError(f"{path}:{number}: not a symbol and its count")
        if symbol in known and not overwrite:
            raise FileError(f"{path}:{number}: {symbol} for the second time, without "
                            "#fairseq:overwrite")
        symbols.append(symbol)
        known.add(symbol)
    return symbols


def check_sizes(tensors, config, args):
    """Puts the sizes of the vocabularies into config."""
    sides = {"source": ("encoder.embed_tokens.weight", args.dict_src),
             "target": ("decoder.embed_tokens.weight", args.dict_tgt)}
    found = {}
    for side, (name, path) in sides.items():
        found[side] = read_dictionary(path)
        config[f"{side}_vocab_size"] = size = len(found[side])
        for table in (name, "decoder.output_projection.weight" if side == "target" else name):
            if table in tensors and tensors[table].shape[0] != size:
                raise FileError(f"{path}: {size} symbols ({size - 4} lines and 4 special ones), but"
                                f" {table} has {tensors[table].shape[0]} rows")
    if config["share_all_embeddings"] and found["source"] != found["target"]:
        raise FileError(f"{args.dict_tgt}: not the same as {args.dict_src}, although the model "
                        "shares all embeddings")


def coverage(symbols, path):
    """The share of a text's words, whole or in pieces that begin them, that a dictionary has: of its first
    10,000 lines."""
    known = {symbol.lstrip("\u2581").removesuffix("@@") for symbol in symbols}
    with open(path, encoding="utf-8", errors="replace") as text:
        words = [word for line, _ in zip(text, range(10_000)) for word in line.split()]
    found = sum(word in known for word in words)
    return found / max(len(words), 1)


def check_sides(args):
    """Tells how well the dictionaries fit samples of text; warns if they fit better the other way round."""
    samples = {"source": args.sample_src, "target": args.sample_tgt}
    given = {side: path for side, path in samples.items() if path}
    symbols = {"source": read_dictionary(args.dict_src), "target": read_dictionary(args.dict_tgt)}
    if symbols["source"] == symbols["target"]:
        return
    other = {"source": "target", "target": "source"}
    for side, path in given.items():
        own, swapped = coverage(symbols[side], path), coverage(symbols[other[side]], path)
        print(f"{path}: the {side} dictionary has {own:.1%} of the words, the other one {swapped:.1%}")
        if swapped > own:
            print(f"import_fairseq.py: warning: {args.dict_src} and {args.dict_tgt} look swapped", file=sys.stderr)


# ---- files ----

def segmentation_of(args, parser):
    """(kind, {name in the directory: file})."""
    given = {}
    for kind, option, suffix in (("bpe", "bpe_codes", "codes"),
                                 ("sentencepiece", "sentencepiece", "spm")):
        both = getattr(args, option)
        sides = [getattr(args, f"{option}_{side}") for side in ("src", "tgt")]
        flag = "--" + option.replace("_", "-")
        if both and any(sides):
            parser.error(f"{flag} is for both sides, without {flag}-src and {flag}-tgt")
        if any(sides) and not all(sides):
            parser.error(f"{flag}-src and {flag}-tgt are needed both")
        if both or any(sides):
            source, target = (both, both) if both else sides
            given[kind] = {f"source.{suffix}": source, f"target.{suffix}": target}
    if len(given) > 1:
        parser.error("either BPE codes or SentencePiece models")
    return next(iter(given.items()), ("none", {}))


def write_directory(out, config, tensors, kind, copies):
    partial = out.with_name(out.name + ".partial")
    partial.mkdir(parents=True)
    try:
        for name, value in (("config.json", config),
                            ("fairseq_tokenizer.json", {"segmentation": kind})):
            text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
            (partial / name).write_text(text, encoding="utf-8")
        for name, path in copies.items():
            shutil.copyfile(path, partial / name)
        tensor_files.write_safetensors(partial / "model.safetensors", tensors)
        os.rename(partial, out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--dict-src", type=Path, required=True)
    parser.add_argument("--dict-tgt", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="directory to make")
    for option in ("--bpe-codes", "--sentencepiece"):
        parser.add_argument(option, type=Path, help="of both sides")
        parser.add_argument(f"{option}-src", type=Path)
        parser.add_argument(f"{option}-tgt", type=Path)
    for side in ("src", "tgt"):
        parser.add_argument(f"--sample-{side}", type=Path, help="plain text, to see whether the dictionary fits")
    args = parser.parse_args()
    return args, *segmentation_of(args, parser)


def main():
    args, kind, copies = read_arguments()
    if args.out.exists():
        raise FileError(f"{args.out}: is there already")
    state = tensor_files.read_checkpoint(args.checkpoint)
    try:
        if not isinstance(state, dict):
            raise FileError("not a fairseq checkpoint")
        config = make_config(*read_options(state))
        tensors = choose_tensors(state.get("model"), config)
    except FileError as error:
        raise FileError(f"{args.checkpoint}: {error}") from None
    check_sizes(tensors, config, args)
    check_sides(args)
    for number, name in enumerate(("bos", "pad", "eos", "unk")):
        config[f"{name}_token_id"] = number
    copies |= {"dict.source.txt": args.dict_src, "dict.target.txt": args.dict_tgt}
    write_directory(args.out, config, tensors, kind, copies)
    print(f"{args.out}: {config['architecture']}, {len(tensors)} tensors, "
          f"{config['source_vocab_size']} and {config['target_vocab_size']} symbols")


if __name__ == "__main__":
    tensor_files.run(main)
