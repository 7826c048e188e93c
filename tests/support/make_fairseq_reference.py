#!/usr/bin/env python3
"""Write tests/data/models/fairseq-*/ and tests/data/fairseq/: what fairseq makes of tiny models.

For each variant below: a model of fairseq's own classes, hardly trained, rounded to fp16; a
checkpoint of it as some version of fairseq writes them, with its dictionaries
(tests/data/fairseq/<variant>/); its import by scripts/import_fairseq.py
(tests/data/models/fairseq-<variant>/); and there what fairseq computes with the checkpoint that
it has loaded itself:

expected.safetensors, in float64, one sentence at a time, no padding, nothing masked unless said.
S is the number of sentences, X and Y the numbers of source and target ids of all of them, end of
sentence included, L the number of decoder layers. Row i of a [Y, ...] tensor is the decoder's
position i: its input is </s> at a sentence's first position, else target_ids[i - 1].

  source_lengths, target_lengths  [S] int32; source_ids [X], target_ids [Y] int32: random words
  encoder_output  [X, d of the encoder] f32
  decoder_layers  [L, Y, d] f32   output of every decoder layer; in a pre-norm model before the
                                  decoder's closing norm
  ffn_in          [L, Y, d] f32   input of each decoder layer's fc1
  top_ids         [Y, 20] int32   the most probable next tokens, best first (equal: lower id first)
  top_log_probs   [Y, 20] f32
  greedy_source_lengths, greedy_source_ids; greedy_lengths, greedy_ids  int32: greedy decoding,
                                  <pad> and </s> as first token masked, at most 20 tokens
  greedy_gaps     f32             log-prob of each greedy token minus the runner-up's

beam.json: what fairseq's SequenceGenerator gives in fp32, one sentence at a time, for 32 sources
and some settings; --check compares it with a batch of 32 and with fairseq's command line.

Three things of fairseq are replaced while this runs: its softmax, log_softmax and gelu compute in
fp32 whatever they are given, which would spoil float64; and its `swish` cannot be called.

Needs fairseq 0.12 (github.com/facebookresearch/fairseq, main) and the packages of
scripts/requirements-dev.txt.
"""
import argparse
import contextlib
import dataclasses
import inspect
import io
import json
import logging
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def allow_defaults_of_dataclasses():
    """fairseq and hydra 1.0 have dataclasses as defaults of fields, which Python 3.11 refuses."""
    source = inspect.getsource(dataclasses._get_field)
    exec(source.replace("f.default.__class__.__hash__ is None",
                        "isinstance(f.default, (list, dict, set))"), dataclasses.__dict__)


allow_defaults_of_dataclasses()

import fairseq.modules  # noqa: E402
import torch  # noqa: E402
from fairseq import checkpoint_utils, options, tasks, utils  # noqa: E402
from fairseq.data import Dictionary  # noqa: E402
from fairseq.dataclass.utils import convert_namespace_to_omegaconf  # noqa: E402
from fairseq.sequence_generator import SequenceGenerator  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from safetensors.torch import load_file, save  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
STEPS = 700
SENTENCES, LONGEST, BEST = 24, 20, 20
GREEDY_SENTENCES, GREEDY_LONGEST = 200, 20
BEAM_SENTENCES, BEAM_LONGEST_SOURCE = 32, 15
BEAM_CASES = [dict(beam=beam, length_penalty=penalty, nbest=nbest, max_length_a=0.0,
                   max_length_b=24)
              for penalty in (1.0, 0.6) for beam, nbest in ((1, 1), (4, 1), (5, 1), (5, 5))]
BEAM_CASES.append(dict(beam=5, length_penalty=1.0, nbest=1, max_length_a=0.5, max_length_b=3))

SMALL = dict(encoder_embed_dim=24, encoder_ffn_embed_dim=40, encoder_layers=2,
             encoder_attention_heads=4, decoder_embed_dim=24, decoder_ffn_embed_dim=32,
             decoder_layers=2, decoder_attention_heads=4)
VARIANTS = {
    # as fairseq 0.6 wrote them: before PyTorch 1.6, old names of tensors
    "postnorm": dict(seed=1, words=(100, 100), form="old", options=SMALL | dict(
        arch="transformer_wmt_en_de", share_all_embeddings=True)),
    # as fairseq 0.12 does
    "prenorm": dict(seed=2, words=(93, 101), form="new", options=SMALL | dict(
        arch="transformer", encoder_normalize_before=True, decoder_normalize_before=True,
        encoder_learned_pos=True, decoder_learned_pos=True, activation_fn="gelu",
        layernorm_embedding=True, no_scale_embedding=True, max_source_positions=48,
        max_target_positions=40)),
    # as fairseq 0.10 did, with omegaconf objects; an encoder that is larger than the decoder
    "wmt19-like": dict(seed=3, words=(101, 94), form="omegaconf", options=SMALL | dict(
        arch="transformer_wmt_en_de_big", encoder_embed_dim=32, encoder_ffn_embed_dim=96,
        encoder_layers=3, decoder_embed_dim=16, decoder_ffn_embed_dim=24, decoder_attention_heads=2,
        share_decoder_input_output_embed=True, activation_fn="swish", dropout=0.05,
        attention_dropout=0.0))}


def repair_fairseq():
    utils.softmax = lambda x, dim, onnx_trace=False: torch.softmax(x, dim)
    utils.log_softmax = lambda x, dim, onnx_trace=False: torch.log_softmax(x, dim)
    fairseq.modules.gelu = torch.nn.functional.gelu
    usual = utils.get_activation_fn
    utils.get_activation_fn = lambda activation: (
        torch.nn.functional.silu if activation == "swish" else usual(activation))


# ---- models and checkpoints ----

def write_dictionary(path, words, letter):
    dictionary = Dictionary()
    for number in range(words):
        dictionary.add_symbol(f"{letter}{number}", 1000 - number)
    dictionary.save(str(path))


def arguments(folder, options_):
    """The options of a whole fairseq-train command line."""
    parser = options.get_training_parser()
    command = [str(folder), "--task", "translation", "--source-lang", "src", "--target-lang",
               "tgt", "--arch", options_["arch"], "--optimizer", "adam",
               "--criterion", "label_smoothed_cross_entropy"]
    args = options.parse_args_and_arch(parser, command)
    for name, value in options_.items():
        setattr(args, name, value)
    for side in ("input", "output"):
        setattr(args, f"decoder_{side}_dim", args.decoder_embed_dim)
    return args


def toy_translation(generator, source, words):
    """Word by word, some dropped, some doubled, some by chance."""
    target = []
    for word in source[:-1]:
        chance = int(torch.randint(0, 1000, (1,), generator=generator))
        other = 4 + (chance if chance < words else 7 * word + 3) % words
        target += [other] * (0 if word % 5 == 0 else 2 if word % 7 == 0 else 1)
    return (target or [4]) + [2]


def train(model, variant):
    """Some steps on a toy language, so that distributions are peaky and sentences end."""
    generator = torch.Generator().manual_seed(variant["seed"])
    for name, weight in model.named_parameters():
        if weight.dim() == 1:  # biases and norms, which begin as zeros and ones
            weight.data += 0.1 * torch.randn(weight.shape, generator=generator)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = 4e-3 * min(1, step / 50, 2 * (1 - step / STEPS))
        sources = random_sentences(generator, variant["words"][0], 32, LONGEST)
        targets = [toy_translation(generator, source, variant["words"][1])[:30]
                   for source in sources]
        sample = sample_of(sources)["net_input"]
        longest = max(map(len, targets))
        wanted = torch.tensor([ids + [1] * (longest - len(ids)) for ids in targets])
        given = torch.cat([torch.full((len(targets), 1), 2), wanted[:, :-1]], 1)
        logits, _ = model(sample["src_tokens"], sample["src_lengths"], given)
        loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), wanted, ignore_index=1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"  loss {float(loss):.2f} after {STEPS} steps")
    for weight in model.parameters():
        weight.data = weight.data.half().float()


def under_old_names(state):
    """Tensors as fairseq 0.6 named them."""
    old = {name: tensor for name, tensor in state.items()
           if not any(part in name for part in ("q_proj", "k_proj", "v_proj", "output_projection"))}
    for name in state:
        if name.endswith("q_proj.weight") or name.endswith("q_proj.bias"):
            stem, _, kind = name.rpartition(".q_proj.")
            old[f"{stem}.in_proj_{kind}"] = torch.cat(
                [state[f"{stem}.{part}_proj.{kind}"] for part in "qkv"])
    for name in list(old):
        if name.startswith("encoder.layers."):
            for number, new in enumerate(("self_attn_layer_norm", "final_layer_norm")):
                if f".{new}." in name:
                    old[name.replace(new, f"layer_norms.{number}")] = old.pop(name)
    for side in ("encoder", "decoder"):
        if f"{side}.embed_positions.weight" not in state:
            old[f"{side}.embed_positions._float_tensor"] = torch.zeros(1)
    output = state["decoder.output_projection.weight"]
    if not torch.equal(output, state["decoder.embed_tokens.weight"]):
        old["decoder.embed_out"] = output
    return old


def write_checkpoint(path, args, model, form):
    """fp16 tensors, as after training with --fp16."""
    state = {name: tensor.half() for name, tensor in model.state_dict().items()}
    rest = {"optimizer_history": [{"criterion_name": "LabelSmoothedCrossEntropyCriterion",
                                   "optimizer_name": "FairseqAdam", "num_updates": 7,
                                   "lr_scheduler_state": {"best": 1.5}}],
            "extra_state": {"train_iterator": {"epoch": 1}}, "last_optimizer_state": None}
    if form == "old":
        whole = {"args": args, "model": under_old_names(state), **rest}
    else:
        config = convert_namespace_to_omegaconf(args)
        if form == "new":
            config = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
        whole = {"args": None, "cfg": config, "model": state, **rest}
    torch.save(whole, path, _use_new_zipfile_serialization=form != "old")


def check_import(path, model):
    """Stops unless the imported tensors are the parameters of the model that fairseq loaded."""
    imported, named = load_file(path), dict(model.named_parameters())
    if imported.keys() != named.keys():
        raise SystemExit(f"{path}: not fairseq's parameters: {imported.keys() ^ named.keys()}")
    for name, tensor in imported.items():
        if not torch.equal(tensor.float(), named[name]):
            raise SystemExit(f"{path}: {name} is not fairseq's")


def load(checkpoint, folder):
    """(model, task) by fairseq's own loader."""
    models, _, task = checkpoint_utils.load_model_ensemble_and_task(
        [str(checkpoint)], arg_overrides={"data": str(folder)})
    return models[0].eval(), task


# ---- figures ----

def random_sentences(generator, words, count, longest):
    """Ordinary words and </s>."""
    lengths = torch.randint(1, longest + 1, (count,), generator=generator).tolist()
    return [torch.randint(4, 4 + words, (n,), generator=generator).tolist() + [2] for n in lengths]


def encode(model, source):
    return model.encoder(torch.tensor([source]), src_lengths=torch.tensor([len(source)]))


def log_probs(model, encoded, prefix):
    """[len(prefix) + 1, words] of what follows each part of prefix."""
    logits, _ = model.decoder(torch.tensor([[2] + prefix]), encoder_out=encoded)
    return torch.log_softmax(logits[0], -1)


def figures_of(model, source, target):
    layers, inner, hooks = [], [], []
    for layer in model.decoder.layers:
        hooks.append(layer.register_forward_hook(lambda _, given, made: layers.append(made[0])))
        hooks.append(layer.fc1.register_forward_pre_hook(lambda _, given: inner.append(given[0])))
    encoded = encode(model, source)
    rows = log_probs(model, encoded, target[:-1])
    scores, ids = rows.sort(dim=-1, descending=True, stable=True)
    for hook in hooks:
        hook.remove()
    return {"encoder_output": encoded["encoder_out"][0][:, 0],
            "decoder_layers": torch.stack([layer[:, 0] for layer in layers]),
            "ffn_in": torch.stack([given[:, 0] for given in inner]),
            "top_ids": ids[:, :BEST], "top_log_probs": scores[:, :BEST]}


def greedy(model, source):
    """(ids, gaps)."""
    encoded, ids, gaps = encode(model, source), [], []
    while len(ids) < GREEDY_LONGEST and ids[-1:] != [2]:
        row = log_probs(model, encoded, ids)[-1]
        row[1] = -math.inf
        if not ids:
            row[2] = -math.inf
        best = row.topk(2)
        gaps.append(float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
    return ids, gaps


@torch.no_grad()
def write_expected(path, model, variant):
    generator = torch.Generator().manual_seed(100 + variant["seed"])
    words = variant["words"]
    sources, targets = (random_sentences(generator, words[side], SENTENCES, LONGEST)
                        for side in (0, 1))
    greedy_sources = random_sentences(generator, words[0], GREEDY_SENTENCES, LONGEST)
    model.double()
    parts = [figures_of(model, *pair) for pair in zip(sources, targets)]
    made = [greedy(model, source) for source in greedy_sources]
    model.float()
    out = {name: torch.cat([part[name] for part in parts], -2) for name in parts[0]}
    lists = {"source": sources, "target": targets, "greedy_source": greedy_sources,
             "greedy": [ids for ids, _ in made]}
    for name, sentences in lists.items():
        out[f"{name}_lengths"] = torch.tensor([len(ids) for ids in sentences])
        out[f"{name}_ids"] = torch.tensor(sum(sentences, []))
    out["greedy_gaps"] = torch.tensor(sum((gaps for _, gaps in made), []))
    path.write_bytes(save({
        name: (tensor.int() if tensor.dtype == torch.int64 else tensor.float()).contiguous()
        for name, tensor in out.items()}))
    lengths = out["greedy_lengths"]
    ended = sum(ids[-1] == 2 for ids, _ in made)
    print(f"  greedy: {ended} of {len(made)} end, mean length {lengths.float().mean():.1f}, "
          f"{len(set(lists['greedy'][0]))} kinds of token in the first, smallest gap "
          f"{out['greedy_gaps'].min():.2e}; mean best log-prob "
          f"{out['top_log_probs'][:, 0].mean():.2f}")


# ---- beam search ----

def sample_of(sources):
    """A batch as fairseq makes it: padding on the left."""
    longest = max(map(len, sources))
    rows = [[1] * (longest - len(source)) + source for source in sources]
    return {"net_input": {"src_tokens": torch.tensor(rows),
                          "src_lengths": torch.tensor([len(source) for source in sources])}}


def generator_of(model, dictionary, case):
    return SequenceGenerator([model], dictionary, beam_size=case["beam"],
                             len_penalty=case["length_penalty"], max_len_a=case["max_length_a"],
                             max_len_b=case["max_length_b"])


def hypotheses(generator, sources, nbest):
    return [[{"tokens": one["tokens"].tolist(), "score": float(one["score"])}
             for one in found[:nbest]]
            for found in generator.generate([], sample_of(sources))]


def difference(one, other):
    """(sentences whose tokens differ, largest difference of scores of the others)."""
    wrong, largest = 0, 0.0
    for a, b in zip(one, other):
        if [h["tokens"] for h in a] != [h["tokens"] for h in b]:
            wrong += 1
        else:
            largest = max([largest] + [abs(x["score"] - y["score"]) for x, y in zip(a, b)])
    return wrong, largest


@torch.no_grad()
def write_beam(path, model, dictionary, variant, check):
    generator = torch.Generator().manual_seed(200 + variant["seed"])
    sources = random_sentences(generator, variant["words"][0], BEAM_SENTENCES,
                               BEAM_LONGEST_SOURCE - 1)
    cases = []
    for case in BEAM_CASES:
        search = generator_of(model, dictionary, case)
        results = [hypotheses(search, [source], case["nbest"])[0] for source in sources]
        cases.append(case | {"results": results})
        lengths = [len(found[0]["tokens"]) for found in results]
        print(f"  {case}: lengths {min(lengths)} to {max(lengths)}, mean "
              f"{sum(lengths) / len(lengths):.1f}", end="")
        if check and not case["max_length_a"]:  # fairseq takes the batch's longest source for it
            batch = hypotheses(search, sources, case["nbest"])
            exact = generator_of(model.double(), dictionary, case)
            doubles = [hypotheses(exact, [source], case["nbest"])[0] for source in sources]
            model.float()
            print(f"; batch of {len(sources)}: %d differ, scores by %.1e; float64: %d, %.1e"
                  % (difference(results, batch) + difference(results, doubles)), end="")
        print()
    head = json.dumps({"sources": sources})[:-1]
    text = ",\n".join(json.dumps(case) for case in cases)
    path.write_text(f'{head}, "cases": [\n{text}\n]}}\n', encoding="utf-8")
    return sources, cases


def check_command_line(checkpoint, folder, sources, cases, source_words):
    """Compares cases with fairseq-preprocess and fairseq-generate."""
    with tempfile.TemporaryDirectory() as work:
        lines = [" ".join(source_words[token] for token in source[:-1]) for source in sources]
        Path(work, "test.src").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        shutil.copy(Path(work, "test.src"), Path(work, "test.tgt"))
        run_command("preprocess", "--source-lang", "src", "--target-lang", "tgt", "--srcdict",
                    folder / "dict.src.txt", "--tgtdict", folder / "dict.tgt.txt", "--testpref",
                    f"{work}/test", "--destdir", f"{work}/bin", "--workers", 1)
        for case in cases:
            if case["max_length_a"]:
                continue
            # A last batch that is not full would be dropped without a word.
            text = run_command("generate", f"{work}/bin", "--path", checkpoint, "--cpu", "--beam",
                               case["beam"], "--lenpen", case["length_penalty"], "--nbest",
                               case["nbest"], "--max-len-b", case["max_length_b"],
                               "--batch-size", len(sources), "--scoring", "sacrebleu")
            found = {}
            for line in text.splitlines():
                if line.startswith("H-"):
                    number, score, words = line.split("\t")
                    found.setdefault(int(number[2:]), []).append((words, float(score)))
            target = Dictionary.load(str(folder / "dict.tgt.txt"))
            wrong, largest = 0, 0.0
            for number, results in enumerate(case["results"]):
                mine = [(" ".join(target[t] for t in one["tokens"][:-1]),
                         one["score"] / math.log(2)) for one in results]
                theirs = found.get(number, [])
                if [words for words, _ in mine] != [words for words, _ in theirs]:
                    wrong += 1
                else:
                    largest = max([largest] + [abs(a[1] - b[1]) for a, b in zip(mine, theirs)])
            print(f"  command line, beam {case['beam']}, n-best {case['nbest']}, length penalty "
                  f"{case['length_penalty']}: {len(found)} sentences, {wrong} differ, scores by "
                  f"{largest:.1e} (base 2)")


def run_command(name, *words):
    """What fairseq-<name> prints."""
    module = __import__(f"fairseq_cli.{name}", fromlist=["cli_main"])
    usual, out = sys.argv, io.StringIO()
    sys.argv = [f"fairseq-{name}", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out):
            module.cli_main()
    finally:
        sys.argv = usual
    return out.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "tests/data")
    parser.add_argument("--check", action="store_true", help="compare with batches and commands")
    parser.add_argument("variants", nargs="*", default=list(VARIANTS))
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    repair_fairseq()
    for name in args.variants:
        print(name)
        variant, folder = VARIANTS[name], args.out / "fairseq" / name
        checkpoint, out = folder / "checkpoint.pt", args.out / "models" / f"fairseq-{name}"
        for old in (folder, out):
            shutil.rmtree(old, ignore_errors=True)
        folder.mkdir(parents=True)
        shared = variant["options"].get("share_all_embeddings", False)
        write_dictionary(folder / "dict.src.txt", variant["words"][0], "s")
        write_dictionary(folder / "dict.tgt.txt", variant["words"][1], "s" if shared else "t")
        options_ = arguments(folder, variant["options"])
        options_.data = "data"
        made = tasks.setup_task(argparse.Namespace(**vars(options_) | {"data": str(folder)}))
        torch.manual_seed(variant["seed"])
        model = made.build_model(options_)
        train(model, variant)
        write_checkpoint(checkpoint, options_, model, variant["form"])
        subprocess.run([sys.executable, ROOT / "scripts/import_fairseq.py", checkpoint,
                        "--dict-src", folder / "dict.src.txt", "--dict-tgt",
                        folder / "dict.tgt.txt", "--out", out], check=True)
        model, task = load(checkpoint, folder)
        check_import(out / "model.safetensors", model)
        write_expected(out / "expected.safetensors", model, variant)
        sources, cases = write_beam(out / "beam.json", model, task.target_dictionary, variant,
                                    args.check)
        if args.check:
            check_command_line(checkpoint, folder, sources, cases, task.source_dictionary)
        size = sum(path.stat().st_size for path in out.iterdir())
        print(f"  {out}: {size} bytes; checkpoint {checkpoint.stat().st_size} bytes")


if __name__ == "__main__":
    main()
