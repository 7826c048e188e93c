#!/usr/bin/env python3
"""Write tests/data/models/{marian-separate,marian-sharded,m2m100,nllb}: tiny random models of the
Hugging Face families (tiny_hf_models.py) and what transformers makes of them, computed in float64
from the stored weights: expected.safetensors and beam.json (model_reference.py), and
tokenization.json (tokenization_reference.py).

Needs the packages of scripts/requirements-dev.txt.
"""
import argparse
import random
from collections import Counter
from pathlib import Path

import torch
import transformers

import model_reference
import tiny_hf_models
import tokenization_reference

CHECKED = 20  # greedy sentences compared with transformers' generate()


class Hooks:
    """Catches the output of each decoder layer and the input of its fc1."""

    def __init__(self, decoder):
        self.layers, self.inputs = [], []
        for layer in decoder.layers:
            layer.register_forward_hook(lambda module, given, made: self.layers.append(
                made[0] if isinstance(made, tuple) else made))
            layer.fc1.register_forward_pre_hook(
                lambda module, given: self.inputs.append(given[0]))

    def take(self):
        """[B, L, n, d] each."""
        taken = torch.stack(self.layers, 1), torch.stack(self.inputs, 1)
        self.layers.clear()
        self.inputs.clear()
        return taken


def framework(folder, model, languages):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    hooks, decoder = Hooks(model.model.decoder), model.model.decoder
    bias = getattr(model, "final_logits_bias", torch.zeros(1, 1))[0]

    def encode(source):
        return model.model.encoder(input_ids=torch.tensor([source])).last_hidden_state[0]

    def decode(encoded, prefixes):
        states = decoder(input_ids=torch.tensor(prefixes), use_cache=False,
                         encoder_hidden_states=encoded.expand(len(prefixes), -1, -1))
        scores = torch.log_softmax(model.lm_head(states.last_hidden_state) + bias, -1)
        layers, inputs = hooks.take()
        layers, inputs = (x.view(len(prefixes), -1, *x.shape[-2:]) for x in (layers, inputs))
        return layers, inputs, scores

    config, generation = model.config, model.generation_config
    made = model_reference.Framework(
        encode=encode, decode=decode, start=config.decoder_start_token_id,
        eos=config.eos_token_id, never=[config.pad_token_id], source_words=None, target_words=None)
    assert generation.bad_words_ids in (None, [[config.pad_token_id]])
    if languages:
        words = tokenizer.convert_tokens_to_ids([tokenization_reference.language_token(
            tokenizer, code) for code in languages])
        made.prefix, made.suffix, made.forced = [words[0]], [made.eos], [words[1]]
        first = min(tokenization_reference.language_ids(tokenizer))
        made.source_words = made.target_words = range(4, first)
    else:
        made.suffix = [made.eos]
        made.source_words = range(2, config.pad_token_id)
        made.target_words = range(2, config.pad_token_id)
    return made


def check_generate(model, made, greedy_parts):
    """Stop unless transformers' own greedy search gives the same."""
    for part in greedy_parts[:CHECKED]:
        ids = model.generate(
            torch.tensor([part["greedy_source_ids"]]), num_beams=1, do_sample=False,
            max_length=None, max_new_tokens=model_reference.GREEDY_LONGEST,
            min_new_tokens=1 if not made.forced else None, forced_eos_token_id=None,
            suppress_tokens=made.never, bad_words_ids=None,
            forced_bos_token_id=made.forced[0] if made.forced else None)
        if ids[0, 1:].tolist() != part["greedy_ids"]:
            raise SystemExit(f"generate() disagrees: {ids[0, 1:].tolist()} {part['greedy_ids']}")


LANGUAGES = {"m2m100": ("de", "en"), "nllb": ("deu_Latn", "eng_Latn")}


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=tiny_hf_models.ROOT / "tests/data/models")
    parser.add_argument("names", nargs="*", default=list(tiny_hf_models.MAKERS))
    args = parser.parse_args()
    for name in args.names:
        folder, languages = args.out / name, LANGUAGES.get(name)
        tiny_hf_models.make(name, folder)
        model = transformers.AutoModelForSeq2SeqLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager").double().eval()
        made = framework(folder, model, languages)
        greedy_parts = model_reference.write(made, folder, random.Random(name))
        check_generate(model, made, greedy_parts)
        tokenization_reference.write(folder, languages)
        ids = [tuple(part["greedy_ids"]) for part in greedy_parts]
        lengths = Counter(len(one) for one in ids)
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{name}: {size} bytes; {len(set(ids))} different greedy translations of lengths "
              f"{sorted(lengths.items())}; smallest greedy gap "
              f"{min(min(part['greedy_gaps']) for part in greedy_parts):.1e}")


if __name__ == "__main__":
    main()
