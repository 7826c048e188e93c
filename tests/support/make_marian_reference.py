#!/usr/bin/env python3
"""Write tests/data/marian_reference.safetensors: what transformers makes of the demo model.

The first 200 pairs of the model's test.tsv (German<TAB>English), one sentence at
a time (no padding), teacher forced, in float64 from the model's fp16 weights.
The sinusoidal positions are transformers' own, rounded to float32.

Below, S is the number of sentences, X and Y the number of source and target ids
of all of them, end of sentence included, sentences joined in order. Row i of a
[Y, …] tensor is the decoder's position i: its input is <pad> at a sentence's
first position, else target_ids[i - 1]; what it predicts is target_ids[i].

  source_lengths  [S] int32     ids of each source
  source_ids      [X] int32     SentencePiece pieces of source.spm, numbered by
                                vocab.json (not in it: <unk>), then EOS
  target_lengths  [S] int32     the same for the target, with target.spm
  target_ids      [Y] int32
  greedy_lengths  [S] int32     ids of each greedy translation
  greedy_ids      [G] int32     at most 100 a sentence, EOS included; <pad> masked
  encoder_output  [X, 32] f32   projected, see below
  sentence_keys   [S, 32] f32   mean of a sentence's encoder outputs; projected
  decoder_layers  [L, Y, 32] f32  output of every decoder layer, first to last;
                                projected; the last one is ffn_out
  ffn_in          [Y, 32] f32   input of the last decoder layer's fc1, which is the
                                output of its encoder_attn_layer_norm; projected
  top_ids         [Y, 20] int32 the most probable next tokens, best first (equal
                                ones: lower id first), nothing masked
  top_log_probs   [Y, 20] f32   log_softmax(lm_head(ffn_out) + final_logits_bias)

Projected: a hidden vector [d] times a fixed matrix [d, 32], computed in float64
and rounded to float32. Its elements are ±1/sqrt(d), drawn row by row from
splitmix64 with seed 1 (state 1 before the first step): minus where bit 63 of
the output is set. A test draws the same matrix and compares the products.

Needs the packages of scripts/requirements-dev.txt.
"""
import argparse
import json
from pathlib import Path

import sentencepiece
import torch
import transformers
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]
SENTENCES, WIDTH, BEST, LONGEST = 200, 32, 20, 100
MASK64 = (1 << 64) - 1


def splitmix64(seed):
    """Endless 64-bit outputs; Steele, Lea and Flood 2014, constants of Vigna's splitmix64.c."""
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
        yield z ^ (z >> 31)


def projection(d):
    """[d, WIDTH] float64."""
    outputs = splitmix64(1)
    signs = [-1.0 if next(outputs) >> 63 else 1.0 for _ in range(d * WIDTH)]
    return torch.tensor(signs, dtype=torch.float64).view(d, WIDTH) / d ** 0.5


class Tokenizer:
    def __init__(self, folder):
        self.vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        self.models = {side: sentencepiece.SentencePieceProcessor(str(folder / f"{side}.spm"))
                       for side in ("source", "target")}

    def ids(self, side, text):
        pieces = self.models[side].encode(text, out_type=str)
        unknown = self.vocab["<unk>"]
        return [self.vocab.get(piece, unknown) for piece in pieces] + [self.vocab["</s>"]]


def check_tokenizer(tokenizer, folder, pairs):
    """Stop unless transformers' MarianTokenizer gives the same ids."""
    marian = transformers.MarianTokenizer.from_pretrained(folder)
    for source, target in pairs:
        if (marian(source).input_ids != tokenizer.ids("source", source)
                or marian(text_target=target).input_ids != tokenizer.ids("target", target)):
            raise SystemExit(f"MarianTokenizer disagrees about {source!r}, {target!r}")


def log_probs(model, states):
    """[…, vocabulary] of last-layer states […, d]."""
    return torch.log_softmax(model.lm_head(states) + model.final_logits_bias[0], -1)


def greedy(model, encoded, pad, eos):
    """(ids with EOS, smallest gap between a chosen token's log-prob and the runner-up's)."""
    ids, gap = [], float("inf")
    while len(ids) < LONGEST and ids[-1:] != [eos]:
        states = model.model.decoder(input_ids=torch.tensor([[pad] + ids]), use_cache=False,
                                     encoder_hidden_states=encoded).last_hidden_state
        scores = log_probs(model, states[0, -1])
        scores[pad] = -torch.inf
        best = scores.topk(2)
        gap = min(gap, float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
    if ids[-1] != eos:
        raise SystemExit(f"no end of sentence within {LONGEST} tokens")
    return ids, gap


@torch.no_grad()
def figures_of(model, source, target):
    """The tensors of one sentence (hidden ones [rows, d], not yet projected) and its greedy gap."""
    pad, eos = model.config.pad_token_id, model.config.eos_token_id
    decoder, caught = model.model.decoder, []
    encoded = model.model.encoder(input_ids=torch.tensor([source])).last_hidden_state
    norm = decoder.layers[-1].encoder_attn_layer_norm
    hook = norm.register_forward_hook(lambda module, given, made: caught.append(made))
    states = decoder(input_ids=torch.tensor([[pad] + target[:-1]]), use_cache=False,
                     encoder_hidden_states=encoded, output_hidden_states=True).hidden_states
    hook.remove()
    scores, ids = log_probs(model, states[-1][0]).sort(dim=-1, descending=True, stable=True)
    made, gap = greedy(model, encoded, pad, eos)
    return {"encoder_output": encoded[0], "sentence_keys": encoded[0].mean(0, keepdim=True),
            "decoder_layers": torch.stack([layer[0] for layer in states[1:]]),
            "ffn_in": caught[0][0], "top_ids": ids[:, :BEST], "top_log_probs": scores[:, :BEST],
            "greedy_ids": torch.tensor(made)}, gap


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models/demo-de-en")
    parser.add_argument("--out", type=Path,
                        default=ROOT / "tests/data/marian_reference.safetensors")
    args = parser.parse_args()
    lines = (args.model / "test.tsv").read_text(encoding="utf-8").split("\n")[:SENTENCES]
    pairs = [tuple(line.split("\t")) for line in lines]
    tokenizer = Tokenizer(args.model)
    check_tokenizer(tokenizer, args.model, pairs)
    model = transformers.MarianMTModel.from_pretrained(
        args.model, dtype=torch.float32, attn_implementation="eager").double().eval()

    sources = [tokenizer.ids("source", source) for source, _ in pairs]
    targets = [tokenizer.ids("target", target) for _, target in pairs]
    parts, gaps = zip(*(figures_of(model, *both) for both in zip(sources, targets)))
    out = {name: torch.cat([part[name] for part in parts], -2 if parts[0][name].dim() > 1 else 0)
           for name in parts[0]}
    matrix = projection(model.config.d_model)
    for name in ("encoder_output", "sentence_keys", "decoder_layers", "ffn_in"):
        out[name] = (out[name] @ matrix).float()
    for name, lists in (("source", sources), ("target", targets)):
        out[f"{name}_lengths"] = torch.tensor([len(ids) for ids in lists])
        out[f"{name}_ids"] = torch.tensor(sum(lists, []))
    out["greedy_lengths"] = torch.tensor([len(part["greedy_ids"]) for part in parts])
    out["top_log_probs"] = out["top_log_probs"].float()
    out = {name: (tensor.int() if tensor.dtype == torch.int64 else tensor).contiguous()
           for name, tensor in out.items()}
    versions = {module.__name__: module.__version__ for module in (torch, transformers)}
    save_file(out, args.out, metadata={"versions": json.dumps(versions)})
    for name, tensor in sorted(out.items()):
        print(f"{name} {list(tensor.shape)} {tensor.dtype}")
    print(f"smallest greedy gap {min(gaps):.2e} nats")


if __name__ == "__main__":
    main()
