#!/usr/bin/env python3
"""Compare teacher forcing with transformers: keys a second, in turns, on the same batches.

encode_speed.py PROGRAM MODEL|random TSV [--threads N] [--rounds N] [--dtype fp32|bf16]

PROGRAM is the built encode_speed. MODEL is a Hugging Face Marian directory; "random" makes one of
60 million parameters (512 wide, 6 + 6 layers, 32,000 tokens) with the demo model's tokeniser. TSV
has source<TAB>target lines. Batches are sorted by length and of at most 4,000 tokens a side, no
output projection on either side. Prints the median of each, their ratio, and which share of this
machine's rate of matrix products the C++ side reaches: operations are counted for the sentences'
own tokens, without padding; the rate is the median of 1024³ products in the same dtype.

Needs torch and transformers (scripts/requirements-dev.txt).
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import sentencepiece
import torch
import transformers
from make_random_model import make_random_model

MAX_TOKENS = 4000


def read_pairs(folder, tsv):
    """Token ids of source and target, end of sentence included."""
    vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    models = [sentencepiece.SentencePieceProcessor(str(folder / f"{side}.spm"))
              for side in ("source", "target")]
    return [[[vocab.get(piece, vocab["<unk>"]) for piece in model.encode(text, out_type=str)]
             + [vocab["</s>"]] for model, text in zip(models, line.split("\t"))]
            for line in tsv.read_text(encoding="utf-8").splitlines()]


def cut_batches(pairs):
    batches, longest = [], 0
    for pair in sorted(pairs, key=lambda pair: (len(pair[1]), len(pair[0]))):
        longest = max(longest, *map(len, pair))
        if not batches or longest * (len(batches[-1]) + 1) > MAX_TOKENS:
            batches.append([])
            longest = max(map(len, pair))
        batches[-1].append(pair)
    return batches


def padded(sentences, pad):
    longest = max(map(len, sentences))
    return torch.tensor([ids + [pad] * (longest - len(ids)) for ids in sentences])


@torch.inference_mode()
def keys_per_second(model, batches):
    pad, keys = model.config.pad_token_id, 0
    start = time.perf_counter()
    for batch in batches:
        sources, targets = zip(*batch)
        ids = padded(sources, pad)
        mask = torch.arange(ids.shape[1]) < torch.tensor([[len(s)] for s in sources])
        inputs = padded([[model.config.decoder_start_token_id] + t[:-1] for t in targets], pad)
        model.model(input_ids=ids, attention_mask=mask, decoder_input_ids=inputs, use_cache=False)
        keys += sum(map(len, targets))
    return keys / (time.perf_counter() - start)


def operations_per_key(config, pairs):
    """Multiplications and additions of what ffn_in needs, for each target token."""
    d, total = config.d_model, 0
    for source, target in pairs:
        s, t = len(source), len(target)
        total += config.encoder_layers * s * (4 * d * d + 2 * d * config.encoder_ffn_dim + 2 * s * d)
        total += config.decoder_layers * (t * (6 * d * d + 2 * s * d + t * d) + s * 2 * d * d)
        total += (config.decoder_layers - 1) * t * 2 * d * config.decoder_ffn_dim
    return 2 * total / sum(len(target) for _, target in pairs)


@torch.inference_mode()
def product_rate(dtype):
    """Operations a second of 1024³ matrix products, by PyTorch's default library or by oneDNN with
    a packed matrix, whichever is faster here."""
    a, b = torch.randn(1024, 1024, dtype=dtype), torch.randn(1024, 1024, dtype=dtype)
    packed = torch.ops.mkldnn._reorder_linear_weight(b, 1024)
    products = (lambda: a @ b,
                lambda: torch.ops.mkldnn._linear_pointwise(a, packed, None, "none", [], ""))
    rates = [[], []]
    for _ in range(30):
        for product, of_product in zip(products, rates):
            start = time.perf_counter()
            product()
            of_product.append(2 * 1024 ** 3 / (time.perf_counter() - start))
    return max(map(statistics.median, rates))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("model")
    parser.add_argument("tsv", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary if args.model == "random" else args.model)
        if args.model == "random":
            make_random_model(folder)
        pairs = read_pairs(folder, args.tsv)
        batches = cut_batches(pairs)
        model = transformers.MarianMTModel.from_pretrained(folder, dtype=dtype).eval()
        environment = os.environ | {"OMP_NUM_THREADS": str(args.threads)}
        command = [args.program, folder, args.tsv, args.dtype, "1"]
        ours, theirs, rates = [], [], []
        keys_per_second(model, batches[:2])
        for number in range(args.rounds):
            lines = subprocess.run(command, env=environment, check=True, text=True,
                                   capture_output=True).stdout.splitlines()
            rounds_made = [line for line in lines if " keys, " in line]
            ours.append(float(rounds_made[-1].split(" keys, ")[1].split()[0]))
            theirs.append(keys_per_second(model, batches))
            rates.append(product_rate(dtype))
            print(f"round {number + 1}: {ours[-1]:,.0f} and {theirs[-1]:,.0f} keys/s, "
                  f"{rates[-1] / 1e9:,.0f} GFLOP/s", flush=True)
    work = operations_per_key(model.config, pairs)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    share = statistics.median(a * work / rate for a, rate in zip(ours, rates))
    print(f"{args.dtype}, {args.threads} threads: {statistics.median(ours):,.0f} keys/s, "
          f"transformers {statistics.median(theirs):,.0f}; ratio {ratio:.2f}; "
          f"{100 * share:.0f} % of the rate of matrix products ({work / 1e6:.1f} MFLOP a key)")


if __name__ == "__main__":
    main()
