#!/usr/bin/env python3
"""Write tests/data/bpe.json: the pieces that subword-nmt's apply_bpe makes of strings.

A list of sets, each {"name", "version", "merges" ["left right"], "texts" [{"text", "pieces"}]}:
codes learned from the demo model's test set, the same as old files have them (version 0.1, with
"x </w>" merges), and random ones in no sensible order over a small alphabet, where a merge can make
a pair of lower rank.

Needs the packages of scripts/requirements-dev.txt.
"""
import argparse
import importlib.metadata
import io
import json
import random
from pathlib import Path

from subword_nmt import apply_bpe, learn_bpe

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    "", " ", "  two  spaces  ", "\ttab\ttabs\t", "a\u00a0b\u2009c\u3000d", "\r\n ends \r\n", "a\rb",
    "x", "ß", "😀", "Haus", "Häuser", "Straße STRASSE ẞ", "cafe\u0301 café", "Großvater's",
    "Donaudampfschifffahrtsgesellschaftskapitän", "internationalization", "x" * 60, "ab" * 200,
    "日本語 テスト", "한국어 문장", "Здравствуйте мир", "مرحبا", "I 😀 you 👩‍👩‍👧‍👦 🇩🇪",
    "</w>", "en</w>", "a </s> b", "<unk>", "@@", "a@@ b", "&apos;s @-@ &quot;", "1234567890 3,14",
    "\u0001\u007f\u0080", "\ufeff\u200b\U0010ffff",
]
MERGES, ORDINARY, RANDOM_SETS, RANDOM_MERGES, RANDOM_WORDS = 400, 25, 3, 30, 60


def learned(lines):
    out = io.StringIO()
    learn_bpe.learn_bpe(io.StringIO("\n".join(lines) + "\n"), out, MERGES)
    return out.getvalue().rstrip("\n").split("\n")[1:]


def with_separate_end(merges, rng):
    """The merges, with those that put the end on a character before their first use."""
    out, known = [], set()
    for merge in merges:
        right = merge.split(" ")[1]
        if right.endswith("</w>") and len(right) == 5 and right not in known and rng.random() < 0.8:
            out.append(f"{right[0]} </w>")
        known.add(right)
        out.append(merge)
    return out


def random_merges(rng):
    symbols, merges = ["a", "b", "c", "ä", "a</w>", "b</w>", "</w>"], []
    while len(merges) < RANDOM_MERGES:
        left = rng.choice([symbol for symbol in symbols if not symbol.endswith("</w>")])
        right = rng.choice(symbols)
        merges.append(f"{left} {right}")
        if len(left + right) < 9:
            symbols.append(left + right)
    rng.shuffle(merges)
    return merges


def reference(name, version, merges, texts):
    bpe = apply_bpe.BPE(io.StringIO("\n".join([f"#version: {version}", *merges]) + "\n"))
    rows = [{"text": text, "pieces": bpe.segment_tokens(text.strip("\r\n ").split(" "))}
            for text in texts]
    return {"name": name, "version": version, "merges": merges, "texts": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--test-set", type=Path, default=ROOT / "models/demo-de-en/test.tsv")
    parser.add_argument("--out", type=Path, default=ROOT / "tests/data/bpe.json")
    args = parser.parse_args()
    rng = random.Random(1)
    lines = args.test_set.read_text(encoding="utf-8").rstrip("\n").replace("\t", "\n").split("\n")
    texts = TEXTS + rng.sample(lines, ORDINARY)
    merges = learned(lines)
    sets = [reference("learned", "0.2", merges, texts),
            reference("separate end", "0.1", with_separate_end(merges, rng), texts)]
    for i in range(RANDOM_SETS):
        words = ["".join(rng.choice("aabbbcä") for _ in range(rng.randint(1, 25)))
                 for _ in range(RANDOM_WORDS)]
        for version in ("0.1", "0.2"):
            sets.append(reference(f"random {i}", version, random_merges(rng), [" ".join(words)]))
    head = {"command": "python3 tests/support/make_bpe_reference.py",
            "subword_nmt": importlib.metadata.version("subword-nmt")}
    rows = ",\n".join(json.dumps(item) for item in sets)
    args.out.write_text(f"{json.dumps(head, indent=1)[:-2]},\n \"sets\": [\n{rows}\n]}}\n",
                        encoding="utf-8")
    print(f"{len(sets)} sets, {sum(len(item['texts']) for item in sets)} texts")


if __name__ == "__main__":
    main()
