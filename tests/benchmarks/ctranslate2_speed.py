#!/usr/bin/env python3
"""Translate a text with CTranslate2, the peer whose speed ours is compared with; prints tokens a second.

    ctranslate2_speed.py --model CONVERTED --tokenizer MODEL --source TEXT --dtype float32|int8|bfloat16 [--workers 2]

CONVERTED is what `ct2-transformers-converter --model MODEL --output_dir CONVERTED` made (Python packages
ctranslate2, transformers, torch and sentencepiece). Needs ctranslate2 and sentencepiece. Workers have one thread each,
batches 512 tokens (--batch), the beam 5 hypotheses; sentences are sorted by length by CTranslate2 itself.
Tokens are those written, ends of sentences included, as knnseq counts them. Loading and a first batch, in
which CTranslate2 prepares its kernels, are not counted. decode_speed.py runs this in turns with knnseq.
"""
import argparse
import time
from pathlib import Path

import ctranslate2
import sentencepiece


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--tokenizer", required=True, type=Path, help="folder of source.spm")
    parser.add_argument("--source", required=True, type=Path)
    parser.add_argument("--dtype", default="float32", help="CTranslate2's compute_type")
    parser.add_argument("--workers", default=2, type=int)
    parser.add_argument("--batch", default=512, type=int, help="tokens of a batch")
    parser.add_argument("--length-penalty", default=1.0, type=float)
    parser.add_argument("--write", type=Path, help="write the translations here (needs target.spm)")
    return parser.parse_args()


def main():
    args = parse_args()
    pieces = sentencepiece.SentencePieceProcessor(str(args.tokenizer / "source.spm"))
    lines = args.source.read_text(encoding="utf-8").splitlines()
    sources = [pieces.encode(line, out_type=str) + ["</s>"] for line in lines]
    translator = ctranslate2.Translator(str(args.model), device="cpu", compute_type=args.dtype,
                                        inter_threads=args.workers, intra_threads=1)

    def translate(sentences):
        return translator.translate_batch(sentences, max_batch_size=args.batch, batch_type="tokens", beam_size=5,
                                          length_penalty=args.length_penalty, max_decoding_length=512)

    translate(sources[:8 * args.workers])
    began = time.monotonic()
    results = translate(sources)
    seconds = time.monotonic() - began
    tokens = sum(len(result.hypotheses[0]) + 1 for result in results)
    print(f"{tokens / seconds:.1f} tokens/s, {tokens} tokens")
    if args.write:
        target = sentencepiece.SentencePieceProcessor(str(args.tokenizer / "target.spm"))
        text = "".join(target.decode(result.hypotheses[0]) + "\n" for result in results)
        args.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
