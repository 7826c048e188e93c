#!/usr/bin/env python3
"""Write beam_reference.json: fairseq's beam search over transformers' log-probs, in float64.

The first 20 sources of the demo model's test.tsv, beam 5, n-best 5, length penalty 1. Written
straight from the rules, one sentence and one whole prefix at a time. `gap` is the smallest
difference between any two neighbouring scores that decided something; where it is large compared
with the rounding of fp32, an fp32 search must give the same hypotheses.
"""
import json
import sys
from pathlib import Path

import torch
import transformers

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
import make_marian_reference as marian  # noqa: E402

SENTENCES, BEAM = 20, 5


def next_log_probs(model, encoded, prefix):
    pad = model.config.pad_token_id
    states = model.model.decoder(input_ids=torch.tensor([[pad] + prefix]), use_cache=False,
                                 encoder_hidden_states=encoded).last_hidden_state
    return marian.log_probs(model, states[0, -1])


def search(model, source, longest=200):
    pad, eos = model.config.pad_token_id, model.config.eos_token_id
    encoded = model.model.encoder(input_ids=torch.tensor([source])).last_hidden_state
    partials, done, gap = [(0.0, [])], [], float("inf")
    for step in range(longest + 1):
        extensions = []
        for beam, (score, tokens) in enumerate(partials):
            row = next_log_probs(model, encoded, tokens)
            row[pad] = -torch.inf
            if step == 0:
                row[eos] = -torch.inf
            best = row.topk(2 * BEAM + 1)
            extensions += [(-(score + value), beam, token)
                           for value, token in zip(best.values.tolist(), best.indices.tolist())]
        extensions.sort()
        gap = min([gap] + [b[0] - a[0] for a, b in zip(extensions[:2 * BEAM], extensions[1:])])
        following = []
        for rank, (negative, beam, token) in enumerate(extensions[:2 * BEAM]):
            grown = (-negative, partials[beam][1] + [token])
            if token != eos and len(following) < BEAM:
                following.append(grown)
            elif token == eos and rank < BEAM and len(done) < BEAM:
                done.append((grown[0] / len(grown[1]), grown[1]))
        if len(done) == BEAM:
            break
        partials = following
    done.sort(key=lambda hypothesis: -hypothesis[0])
    gap = min([gap] + [a[0] - b[0] for a, b in zip(done, done[1:])])
    return [{"score": score, "tokens": tokens} for score, tokens in done], gap


@torch.no_grad()
def main():
    folder = marian.ROOT / "models/demo-de-en"
    lines = (folder / "test.tsv").read_text(encoding="utf-8").split("\n")[:SENTENCES]
    tokenizer = marian.Tokenizer(folder)
    model = transformers.MarianMTModel.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").double().eval()
    out = []
    for line in lines:
        source = tokenizer.ids("source", line.split("\t")[0])
        nbest, gap = search(model, source)
        out.append({"source": source, "gap": gap, "nbest": nbest})
    text = ",\n".join(json.dumps(sentence) for sentence in out)
    (HERE / "beam_reference.json").write_text(f"[\n{text}\n]\n", encoding="utf-8")
    print(f"smallest gap {min(sentence['gap'] for sentence in out):.2e}")


if __name__ == "__main__":
    main()
