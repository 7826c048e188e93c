#!/usr/bin/env python3
"""Make a sentence encoder of a corpus alone, as an example of `subset.encoder: torchscript`.

    make_lsa_encoder.py SOURCE.de OUT.pt [--width 256]

Latent semantic analysis (Deerwester et al., 1990): the left singular vectors of the matrix of words and
sentences, whose entries are (1 + log count) * log(sentences / sentences with the word). A sentence's vector
is the mean of its words' vectors by the same weights, of length 1. No model has to be downloaded, and no
other text is used than the datastore's: what it finds can be compared with BM25 and TF-IDF, which have no more.
Needs torch from PyPI (scripts/requirements-dev.txt).
"""
import argparse
import math
from pathlib import Path
from typing import Dict, List

import torch


def words(text: str) -> List[str]:
    """Lower-case runs of letters and digits; bytes above 127 count as letters."""
    found: List[str] = []
    word = ""
    lower = text.lower() + " "
    for i in range(len(lower)):
        char = lower[i]
        if char.isalnum() or ord(char) > 127:
            word += char
        elif len(word) > 0:
            found.append(word)
            word = ""
    return found


class LsaEncoder(torch.nn.Module):
    """Sentences to vectors; words that were never seen count for nothing."""

    def __init__(self, vocabulary: Dict[str, int], idf: torch.Tensor, vectors: torch.Tensor):
        super().__init__()
        self.vocabulary: Dict[str, int] = vocabulary
        self.idf = torch.nn.Parameter(idf, requires_grad=False)
        self.vectors = torch.nn.Parameter(vectors, requires_grad=False)

    def forward(self, sentences: List[str]) -> torch.Tensor:
        return self.encode(sentences)

    @torch.jit.export
    def encode(self, sentences: List[str]) -> torch.Tensor:
        made = torch.zeros([len(sentences), self.vectors.size(1)])
        for i, sentence in enumerate(sentences):
            counts: Dict[int, int] = {}
            for word in words(sentence):
                if word in self.vocabulary:
                    at = self.vocabulary[word]
                    counts[at] = counts[at] + 1 if at in counts else 1
            if len(counts) > 0:
                ids = torch.tensor(list(counts.keys()))
                weights = (1 + torch.tensor(list(counts.values())).float().log()) * self.idf[ids]
                made[i] = weights @ self.vectors[ids]
        return torch.nn.functional.normalize(made, 2.0, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=256)
    args = parser.parse_args()
    torch.manual_seed(1)

    words_of = torch.jit.script(words)  # whose strings are bytes, as they will be in the archive
    vocabulary, rows, columns, counts = {}, [], [], []
    lines = args.source.read_text(encoding="utf-8").splitlines()
    for column, line in enumerate(lines):
        of_line = {}
        for word in words_of(line):
            of_line[word] = of_line.get(word, 0) + 1
        for word, count in of_line.items():
            rows.append(vocabulary.setdefault(word, len(vocabulary)))
            columns.append(column)
            counts.append(1 + math.log(count))
    rows = torch.tensor(rows)
    idf = torch.log(len(lines) / torch.bincount(rows).float())
    matrix = torch.sparse_coo_tensor(torch.stack([rows, torch.tensor(columns)]),
                                     torch.tensor(counts) * idf[rows], (len(vocabulary), len(lines)),
                                     check_invariants=True)
    vectors, _, _ = torch.svd_lowrank(matrix.coalesce(), q=args.width, niter=4)
    torch.jit.save(torch.jit.script(LsaEncoder(vocabulary, idf, vectors)), str(args.out))
    print(f"{args.out}: {len(vocabulary)} words of {len(lines)} sentences, {args.width} numbers a sentence")


if __name__ == "__main__":
    main()
