#!/usr/bin/env python3
"""Write beam_reference.json: fairseq's beam search over transformers' log-probs, in float64.

The first 20 sources of the demo model's test.tsv, beam 5, n-best 5, length penalty 1, by
plain_beam.py, one sentence and one whole prefix at a time. `gap` is the smallest
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
import plain_beam  # noqa: E402

SENTENCES, BEAM = 20, 5


def search(model, source, longest=200):
    """(n-best, gap) of one sentence."""
    pad, eos = model.config.pad_token_id, model.config.eos_token_id
    encoded = model.model.encoder(input_ids=torch.tensor([source])).last_hidden_state

    def next_log_probs(prefixes):
        return torch.stack([marian.log_probs(model, model.model.decoder(
            input_ids=torch.tensor([[pad] + prefix]), use_cache=False,
            encoder_hidden_states=encoded).last_hidden_state[0, -1]) for prefix in prefixes])

    done, gap = plain_beam.finished_hypotheses(next_log_probs, BEAM, longest, eos, [pad])
    nbest, other_gap = plain_beam.ranked(done, 1.0)
    return nbest, min(gap, other_gap)


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
