#!/usr/bin/env python3
"""Write a Marian model of random weights to measure with: make_random_model.py FOLDER [options].

The tokeniser files are the demo model's, so that real text can be fed to it. The defaults make 60
million parameters; --width 1024 --vocab 64000 makes 242 million, 1 GB in fp32; --wmt19 makes one of
the size of fairseq's WMT19 models: post-norm, 1024 wide, 8192 in the encoder's feed-forward blocks,
4096 in the decoder's, 6 + 6 layers, 42,000 tokens.

Needs NumPy only.
"""
import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "models/demo-de-en"
TOKENISER = ("source.spm", "target.spm", "vocab.json", "tokenizer_config.json")
WMT19 = {"width": 1024, "layers": 6, "vocab": 42000, "encoder_ffn": 8192, "decoder_ffn": 4096}

sys.path.insert(0, str(ROOT / "scripts"))
from tensor_files import Storage, contiguous, write_safetensors  # noqa: E402


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
    rng = np.random.default_rng(1)

    def values(name, shape):
        if "layer_norm" in name:
            return np.full(shape, name.endswith("weight"), np.float32)
        if len(shape) == 1 or shape[0] == 1:
            return np.zeros(shape, np.float32)
        return rng.standard_normal(shape, np.float32) * np.float32(0.02)

    def tensor(name, shape):
        array = values(name, shape).astype(dtype)
        kind = {"float32": "F32", "float16": "F16"}[dtype]
        return contiguous(Storage(array.tobytes(), kind, array.size, 0), shape)

    write_safetensors(folder / "model.safetensors",
                      {name: tensor(name, shape) for name, shape in shapes.items()})
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
