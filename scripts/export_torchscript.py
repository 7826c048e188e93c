#!/usr/bin/env python3
"""Write a Hugging Face translation model as the TorchScript archive of docs/torchscript.md.

    export_torchscript.py HF_DIR OUT.pt [--key ffn_in|ffn_out] [--layer -1] [--positions N]

For encoder-decoder models built like BART (BART, mBART, PLBart, …) or like T5 (T5, mT5, …). The
model's own code is traced, so that any of them works whose code can be. Before OUT.pt appears, the
saved archive is loaded again and compared with the model on batches of other shapes than the traced
ones; if they differ by more than 1e-4 nothing is written.

Steps compute the whole prefix anew: the cache is the tokens so far. `--positions`: the most tokens
of a side, for models that have no limit of their own (default: n_positions, or 512).

Needs Python 3.11 with torch and transformers from PyPI (requirements-dev.txt has the versions).
"""
import argparse
import json
import os
import random
import sys
import zipfile
from pathlib import Path
from typing import List, Tuple

import python_packages

python_packages.need("torch", "transformers")
import torch  # noqa: E402
import transformers  # noqa: E402

TOLERANCE = 1e-4
SHAPES = [(1, 1, 1), (1, 7, 3), (3, 12, 9), (8, 5, 17), (2, 33, 2)]  # sentences, source, target
TRACED = (2, 6, 4)


class ExportError(Exception):
    """What the user is told in one line."""


class Core(torch.nn.Module):
    """The model in the three pieces that are traced; masks are 4-d, added to attention scores."""

    def __init__(self, model, kind, layer):
        super().__init__()
        self.encoder, self.decoder, self.head = (model.get_encoder(), model.get_decoder(),
                                                 model.get_output_embeddings())
        self.scale = (model.config.d_model ** -0.5
                      if getattr(model.config, "scale_decoder_outputs", False) else 1.0)
        self.register_buffer("bias", getattr(model, "final_logits_bias", torch.zeros(1, 1)))
        self.caught = []
        chosen = decoder_layers(model)[layer]
        if kind == "ffn_out":
            chosen.register_forward_hook(
                lambda module, given, made: self.caught.append(
                    made[0] if isinstance(made, tuple) else made))
        else:
            first_linear(chosen).register_forward_pre_hook(
                lambda module, given: self.caught.append(given[0]))

    def encode(self, source, mask):
        return self.encoder(input_ids=source, attention_mask=mask)[0]

    def decode(self, inputs, mask, states, states_mask):
        self.caught.clear()
        hidden = self.decoder(input_ids=inputs, attention_mask=mask, use_cache=False,
                              encoder_hidden_states=states, encoder_attention_mask=states_mask)[0]
        return self.caught[0], hidden

    def project(self, hidden):
        return torch.log_softmax(self.head(hidden * self.scale) + self.bias, -1)


class Exported(torch.nn.Module):
    """The contract's three methods."""

    def __init__(self, core):
        super().__init__()
        self.core, self.lowest = core, torch.finfo(torch.float32).min

    def source_mask(self, lengths: torch.Tensor, width: int) -> torch.Tensor:
        outside = torch.arange(width)[None, :] >= lengths[:, None]
        return (outside.float() * self.lowest)[:, None, None, :]

    def decode(self, inputs: torch.Tensor, states: torch.Tensor,
               lengths: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        width = inputs.size(1)
        later = torch.ones(width, width).triu(1) * self.lowest
        mask = later[None, None].expand(inputs.size(0), 1, width, width)
        return self.core.decode(inputs, mask, states, self.source_mask(lengths, states.size(1)))

    @torch.jit.export
    def encode(self, source: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self.core.encode(source, self.source_mask(lengths, source.size(1)))

    @torch.jit.export
    def teacher_force(self, states: torch.Tensor, lengths: torch.Tensor, inputs: torch.Tensor,
                      input_lengths: torch.Tensor,
                      with_log_probs: bool) -> Tuple[torch.Tensor, torch.Tensor]:
        keys, hidden = self.decode(inputs, states, lengths)
        if with_log_probs:
            return keys, self.core.project(hidden)
        return keys, torch.empty([0])

    @torch.jit.export
    def step(self, tokens: torch.Tensor, states: torch.Tensor, lengths: torch.Tensor,
             cache: List[torch.Tensor]) -> Tuple[torch.Tensor, torch.Tensor, List[torch.Tensor]]:
        prefix = tokens[:, None]
        if len(cache) > 0:
            prefix = torch.cat([cache[0], prefix], 1)
        keys, hidden = self.decode(prefix, states, lengths)
        return keys[:, -1], self.core.project(hidden[:, -1:])[:, 0], [prefix]


def decoder_layers(model):
    decoder = model.get_decoder()
    layers = getattr(decoder, "layers", getattr(decoder, "block", None))
    if layers is None:
        raise ExportError(f"model_type {model.config.model_type!r}: the decoder's layers were not "
                          "found")
    return layers


def first_linear(layer):
    """The module whose input is the feed-forward block's."""
    if hasattr(layer, "fc1"):
        return layer.fc1
    if hasattr(layer, "layer") and hasattr(layer.layer[-1], "DenseReluDense"):
        return layer.layer[-1].DenseReluDense
    raise ExportError("the feed-forward block of the decoder's layers was not found")


def token_rows(words, count, width, rng):
    """([count, width] tokens, lengths): random ones, the first row without padding."""
    lengths = torch.tensor([width] + [rng.randint(1, width) for _ in range(count - 1)])
    rows = torch.tensor([[rng.choice(words["any"]) for _ in range(width)] for _ in range(count)])
    return rows.masked_fill(torch.arange(width)[None] >= lengths[:, None], words["pad"]), lengths


def facts_of(model, args):
    """knnseq.json."""
    config, generation = model.config, model.generation_config
    positions = getattr(config, "max_position_embeddings", None)
    positions = args.positions or positions or getattr(config, "n_positions", None) or 512

    def token(name):
        found = getattr(generation, name, None)
        found = getattr(config, name, None) if found is None else found
        if not isinstance(found, int):
            raise ExportError(f"{name} is {found!r}, not one token")
        return found

    bad = generation.bad_words_ids or []
    if any(len(word) != 1 for word in bad):
        raise ExportError("bad_words_ids of more than one token are not supported")
    layers = len(decoder_layers(model))
    if not -layers <= args.layer < layers:
        raise ExportError(f"--layer {args.layer}: the decoder has {layers} layers")
    return {"format": 1, "vocab_size": model.get_output_embeddings().out_features,
            "source_vocab_size": model.get_input_embeddings().num_embeddings,
            "width": config.d_model, "source_width": config.d_model,
            "source_positions": positions, "target_positions": positions,
            "decoder_layers": layers, "key": args.key,
            "layer": args.layer if args.layer < 0 else args.layer - layers,
            "decoder_start": token("decoder_start_token_id"), "eos": token("eos_token_id"),
            "pad": token("pad_token_id"), "bad_tokens": sorted({word[0] for word in bad})}


def trace(model, facts):
    """The contract's script of the model."""
    core = Core(model, facts["key"], facts["layer"]).eval()
    sentences, source, target = TRACED
    tokens = torch.full((sentences, source), facts["eos"])
    source_mask = torch.zeros(sentences, 1, 1, source)
    states = core.encode(tokens, source_mask)
    inputs = torch.full((sentences, target), facts["eos"])
    mask = torch.zeros(sentences, 1, target, target)
    _, hidden = core.decode(inputs, mask, states, source_mask)
    traced = torch.jit.trace_module(
        core, {"encode": (tokens, source_mask), "decode": (inputs, mask, states, source_mask),
               "project": (hidden,)}, check_trace=False)
    core.caught.clear()
    return torch.jit.script(Exported(traced).eval())


def difference(own, exact):
    """Largest difference, relative to the largest number if that exceeds 1."""
    return float((own - exact).abs().max() / max(1.0, float(exact.abs().max())))


def compare(script, model, facts, shape, rng):
    """The largest difference from the model's own forward pass on one random batch."""
    words = {"any": range(min(facts["vocab_size"], facts["source_vocab_size"])),
             "pad": facts["pad"]}
    count, *widths = shape
    source, lengths = token_rows(words, count, min(widths[0], facts["source_positions"]), rng)
    inputs, input_lengths = token_rows(words, count, min(widths[1], facts["target_positions"]),
                                       rng)
    inside = torch.arange(source.size(1))[None] < lengths[:, None]
    caught = Core(model, facts["key"], facts["layer"])
    exact = model(input_ids=source, attention_mask=inside.long(), decoder_input_ids=inputs,
                  decoder_attention_mask=torch.ones_like(inputs), use_cache=False)
    exact_keys, exact_scores = caught.caught[0], torch.log_softmax(exact.logits, -1)

    states = script.encode(source, lengths)
    worst = [difference(states[inside], exact.encoder_last_hidden_state[inside])]
    keys, scores = script.teacher_force(states, lengths, inputs, input_lengths, True)
    cache = []
    for at in range(inputs.size(1)):
        query, step_scores, cache = script.step(inputs[:, at], states, lengths, cache)
        rows = input_lengths > at
        for own, other in ((query, exact_keys), (step_scores, exact_scores)):
            worst.append(difference(own[rows], other[rows, at]))
    rows = torch.arange(inputs.size(1))[None] < input_lengths[:, None]
    worst += [difference(keys[rows], exact_keys[rows]),
              difference(scores[rows], exact_scores[rows])]
    if script.teacher_force(states, lengths, inputs, input_lengths, False)[1].numel():
        raise ExportError("teacher_force computes log-probs although it is not asked to")
    return max(worst)


def copy_archive(source, target):
    """Copies all but the records that tell where the source code once lay."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if not name.endswith(".debug_pkl"):
                new.writestr(zipfile.ZipInfo(name), old.read(name))


def export(folder, out, args):
    """Writes the archive; returns the largest difference seen."""
    if not folder.is_dir():
        raise ExportError(f"{folder}: is not a directory")
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True).eval()
    facts = facts_of(model, args)
    script = trace(model, facts)
    saved, partial = (out.with_name(out.name + suffix) for suffix in (".saved", ".partial"))
    try:
        torch.jit.save(script, str(saved), _extra_files={"knnseq.json": json.dumps(facts)})
        copy_archive(saved, partial)
        script, rng = torch.jit.load(str(partial)), random.Random(0)
        worst = max(compare(script, model, facts, shape, rng) for shape in SHAPES)
        if not worst <= TOLERANCE:
            raise ExportError(f"{folder}: the script differs from the model by {worst:.1e}; "
                              "nothing was written")
        os.replace(partial, out)
    finally:
        saved.unlink(missing_ok=True)
        partial.unlink(missing_ok=True)
    return worst


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--key", choices=["ffn_in", "ffn_out"], default="ffn_in")
    parser.add_argument("--layer", type=int, default=-1, help="negative: counted from the last")
    parser.add_argument("--positions", type=int, help="most tokens of a side")
    return parser.parse_args(arguments)


@torch.no_grad()
def main():
    args = parse_arguments()
    try:
        worst = export(args.folder, args.out, args)
    except (ExportError, OSError, ValueError) as error:
        print(f"export_torchscript.py: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    print(f"{args.out}: {args.out.stat().st_size} bytes, largest difference {worst:.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
