#!/usr/bin/env python3
"""Write a Marian model of random weights to measure with: make_random_model.py FOLDER [options].

The tokeniser files are the demo model's, so that real text can be fed to it. The defaults make 60
million parameters; --width 1024 --vocab 64000 makes 242 million, 1 GB in fp32; --wmt19 makes one of
the size of fairseq's WMT19 models: post-norm, 1024 wide, 8192 in the encoder's feed-forward blocks,
4096 in the decoder's, 6 + 6 layers, 42,000 tokens.

Needs nothing but Python, so that it runs on a machine that is lent for minutes. The weights are the same
million normal numbers again and again; their number is prime, so no two rows of a matrix are alike.
"""
import argparse
import array
import json
import math
import random
import shutil
import struct
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "models/demo-de-en"
TOKENISER = ("source.spm", "target.spm", "vocab.json", "tokenizer_config.json")
WMT19 = {"width": 1024, "layers": 6, "vocab": 42000, "encoder_ffn": 8192, "decoder_ffn": 4096}
NUMBERS = 1_000_003


def layer_shapes(prefix, width, ffn, attentions):
    """Names and shapes of one layer's tensors."""
    shapes = {}

    def linear(name, out, of):
        shapes[f"{prefix}.{name}.weight"] = (out, of)
        shapes[f"{prefix}.{name}.bias"] = (out,)

    for attention in attentions:
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            linear(f"{attention}.{part}", width, width)
        for kind in ("weight", "bias"):
            shapes[f"{prefix}.{attention}_layer_norm.{kind}"] = (width,)
    linear("fc1", ffn, width)
    linear("fc2", width, ffn)
    for kind in ("weight", "bias"):
        shapes[f"{prefix}.final_layer_norm.{kind}"] = (width,)
    return shapes


class Weights:
    """Bytes of tensors in one dtype, little-endian."""

    def __init__(self, dtype):
        self.half, self.at = dtype == "float16", 0
        rng = random.Random(1)
        self.normal = self.packed([rng.gauss(0, 0.02) for _ in range(NUMBERS)])
        self.size = 2 if self.half else 4

    def packed(self, numbers):
        return struct.pack(f"<{len(numbers)}e", *numbers) if self.half else array.array("f", numbers).tobytes()

    def write(self, out, name, shape):
        count = math.prod(shape)
        if "layer_norm" in name or len(shape) == 1 or shape[0] == 1:
            one = "layer_norm" in name and name.endswith("weight")
            out.write(self.packed([float(one)] * count))
            return
        while count > 0:
            some = min(count, NUMBERS - self.at)
            out.write(memoryview(self.normal)[self.at * self.size:(self.at + some) * self.size])
            self.at = (self.at + some) % NUMBERS
            count -= some


def write_tensors(path, shapes, dtype):
    weights, header, at = Weights(dtype), {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        end = at + math.prod(shape) * weights.size
        header[name] = {"dtype": "F16" if weights.half else "F32", "shape": list(shape),
                        "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            weights.write(out, name, shape)


def make_random_model(folder, width=512, layers=6, vocab=32000, dtype="float32", encoder_ffn=None,
                      decoder_ffn=None):
    encoder_ffn, decoder_ffn = encoder_ffn or 4 * width, decoder_ffn or 4 * width
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "marian", "vocab_size": vocab, "d_model": width,
        "encoder_layers": layers, "decoder_layers": layers,
        "encoder_ffn_dim": encoder_ffn, "decoder_ffn_dim": decoder_ffn,
        "encoder_attention_heads": width // 64, "decoder_attention_heads": width // 64,
        "activation_function": "relu", "max_position_embeddings": 512, "scale_embedding": True,
        "pad_token_id": 7999, "eos_token_id": 0, "bos_token_id": 0,
        "decoder_start_token_id": 7999, "forced_eos_token_id": 0}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    shapes = {"model.shared.weight": (vocab, width), "final_logits_bias": (1, vocab)}
    for layer in range(layers):
        shapes |= layer_shapes(f"model.encoder.layers.{layer}", width, encoder_ffn, ("self_attn",))
        shapes |= layer_shapes(f"model.decoder.layers.{layer}", width, decoder_ffn,
                               ("self_attn", "encoder_attn"))
    write_tensors(folder / "model.safetensors", shapes, dtype)
    for name in TOKENISER:
        if (DEMO / name).exists():
            shutil.copy(DEMO / name, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=6, help="of encoder and of decoder")
    parser.add_argument("--vocab", type=int, default=32000)
    parser.add_argument("--encoder-ffn", type=int, help="default: 4 times the width")
    parser.add_argument("--decoder-ffn", type=int, help="default: 4 times the width")
    parser.add_argument("--wmt19", action="store_true", help="all sizes as of fairseq's WMT19 models")
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    args = parser.parse_args()
    if args.wmt19:
        make_random_model(args.folder, dtype=args.dtype, **WMT19)
        return
    make_random_model(args.folder, args.width, args.layers, args.vocab, args.dtype,
                      args.encoder_ffn, args.decoder_ffn)


if __name__ == "__main__":
    main()
