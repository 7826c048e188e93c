#!/usr/bin/env python3
"""Write a Marian model of random weights to measure with: make_random_model.py FOLDER [options].

The tokeniser files are the demo model's, so that real text can be fed to it. The defaults make 60
million parameters; --width 1024 --vocab 64000 makes 242 million, 1 GB in fp32.

Needs torch and transformers (scripts/requirements-dev.txt).
"""
import argparse
import shutil
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "models/demo-de-en"
TOKENISER = ("source.spm", "target.spm", "vocab.json", "tokenizer_config.json")


def make_random_model(folder, width=512, layers=6, vocab=32000, dtype="float32"):
    import torch
    import transformers
    config = transformers.MarianConfig(
        vocab_size=vocab, d_model=width, encoder_layers=layers, decoder_layers=layers,
        encoder_ffn_dim=4 * width, decoder_ffn_dim=4 * width,
        encoder_attention_heads=width // 64, decoder_attention_heads=width // 64,
        activation_function="relu", max_position_embeddings=512, scale_embedding=True,
        pad_token_id=7999, eos_token_id=0, decoder_start_token_id=7999, forced_eos_token_id=0)
    torch.manual_seed(1)
    model = transformers.MarianMTModel(config).to(getattr(torch, dtype))
    model.save_pretrained(folder)
    for name in TOKENISER:
        if (DEMO / name).exists():
            shutil.copy(DEMO / name, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=6, help="of encoder and of decoder")
    parser.add_argument("--vocab", type=int, default=32000)
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32")
    args = parser.parse_args()
    make_random_model(args.folder, args.width, args.layers, args.vocab, args.dtype)


if __name__ == "__main__":
    main()
