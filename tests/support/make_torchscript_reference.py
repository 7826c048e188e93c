#!/usr/bin/env python3
"""Write tests/data/torchscript/{mbart,t5}: tiny models of families that knnseq has no code for, as
scripts/export_torchscript.py exports them (model.pt), and what transformers makes of them in
float64 (expected.safetensors and beam.json, see model_reference.py). Takes minutes.

mbart: sources [3] … [2], forced token 4, key ffn_out of the last layer but one. t5: sources … [1],
no forced token, key ffn_in of the last layer.

Needs the packages of scripts/requirements-dev.txt.
"""
import argparse
import random
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from transformers.modeling_outputs import BaseModelOutput

import model_reference
import tiny_hf_models

sys.path.insert(0, str(tiny_hf_models.ROOT / "scripts"))
import export_torchscript  # noqa: E402

VOCABULARY, WORDS = 100, range(8, 100)
FRAMES = {"mbart": {"prefix": [3], "suffix": [2], "forced": [4]}, "t5": {"suffix": [1]}}
OPTIONS = {"mbart": ["--key", "ffn_out", "--layer", "-2"], "t5": ["--positions", "40"]}


def mbart():
    model = transformers.MBartForConditionalGeneration(transformers.MBartConfig(
        vocab_size=VOCABULARY, d_model=16, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=4, encoder_ffn_dim=24,
        decoder_ffn_dim=32, max_position_embeddings=40, scale_embedding=True,
        decoder_start_token_id=2))
    model.generation_config.bad_words_ids = [[6]]
    return model


def t5():
    return transformers.T5ForConditionalGeneration(transformers.T5Config(
        vocab_size=VOCABULARY, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_decoder_layers=2,
        num_heads=2, feed_forward_proj="gated-gelu", dropout_rate=0.0, decoder_start_token_id=0))


class Hooks:
    """Catches the output of each decoder layer and the input of its feed-forward block."""

    def __init__(self, model):
        self.layers, self.inputs = [], []
        for layer in export_torchscript.decoder_layers(model):
            layer.register_forward_hook(lambda module, given, made: self.layers.append(
                made[0] if isinstance(made, tuple) else made))
            export_torchscript.first_linear(layer).register_forward_pre_hook(
                lambda module, given: self.inputs.append(given[0]))


def framework(model, name):
    hooks, generation = Hooks(model), model.generation_config

    def encode(source):
        return model.get_encoder()(input_ids=torch.tensor([source])).last_hidden_state[0]

    def decode(encoded, prefixes):
        hooks.layers.clear()
        hooks.inputs.clear()
        states = BaseModelOutput(encoded.expand(len(prefixes), -1, -1))
        logits = model(encoder_outputs=states, decoder_input_ids=torch.tensor(prefixes),
                       use_cache=False).logits
        return (torch.stack(hooks.layers, 1), torch.stack(hooks.inputs, 1),
                torch.log_softmax(logits, -1))

    bad = [word[0] for word in generation.bad_words_ids or []]
    return model_reference.Framework(
        encode=encode, decode=decode, start=generation.decoder_start_token_id,
        eos=generation.eos_token_id, never=[generation.pad_token_id] + bad, source_words=WORDS,
        target_words=WORDS, **FRAMES[name])


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path,
                        default=tiny_hf_models.ROOT / "tests/data/torchscript")
    out = parser.parse_args().out
    for name, make in {"mbart": mbart, "t5": t5}.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            model = make()
            tiny_hf_models.train(model, WORDS, WORDS, **FRAMES[name])
            model.eval().save_pretrained(folder)
            archive = out / name / "model.pt"
            worst = export_torchscript.export(
                Path(folder), archive,
                export_torchscript.parse_arguments([folder, str(archive), *OPTIONS[name]]))
            model = transformers.AutoModelForSeq2SeqLM.from_pretrained(
                folder, dtype=torch.float32, attn_implementation="eager").double().eval()
        parts = model_reference.write(framework(model, name), out / name, random.Random(name))
        different = len({tuple(part["greedy_ids"]) for part in parts})
        print(f"{archive}: {archive.stat().st_size} bytes, largest difference of the export "
              f"{worst:.1e}, {different} different greedy translations")


if __name__ == "__main__":
    main()
