#!/usr/bin/env python3
"""Write tests/data/marian_tokenizer.json: what transformers' MarianTokenizer makes of strings.

  "texts"   [{"text", "source_ids", "target_ids", "source_decoded", "target_decoded"}]: ids as the
            source and as the target side give them, without the final EOS; the decoded text of
            each list of ids (skip_special_tokens=True, use_source_tokenizer true and false)
  "tokens"  [{"ids", "decoded"}]: ids that no text gives, decoded with the target side

The texts are some lines of the demo model's test set, and strings that are hard on a
tokeniser. Needs the packages of scripts/requirements-dev.txt.
"""
import argparse
import json
import random
from pathlib import Path

import transformers

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    "", " ", "  two  spaces  ", "\ttab\t", "a\u00a0b\u2009c\u3000d", "line\u2028separator\u2029x",
    "next\u0085line", "\u001c\u001d\u001e\u001f", "zero\u200bwidth\ufeffmark", "soft\u00adhyphen",
    "\u2581", "\u2581already\u2581marked", "<unk>", "</s>", "a </s> b<pad>", "<s>", "</s", "<0xE2>",
    ">>de<< Haus", ">>xx<<Haus", ">>never closed", "a >>de<< b", "</s>>>de<< b", ">><<",
    "1234567890 3,14 1.000.000", "http://a.org/b?c=d&e=f#g", "x" * 200, "ab " * 60,
    "Straße STRASSE ẞ", "ﬁ Ⅳ ½ ﷺ ² ｶ Ａ", "cafe\u0301 café", "Z\u0351\u0308\u0327a\u0300lgo",
    "日本語、テスト。", "한국어 문장", "Здравствуйте", "مرحبا بالعالم", "नमस्ते", "สวัสดี",
    "I 😀 you 👩‍👩‍👧‍👦 🇩🇪 👍🏽", "\ue000\U0010ffff\ufffd\uffff", "\u0001\u007f\u0080",
    "„Deutsch“ “English” »x« ‘y’ – — …", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
]
ORDINARY, ODD = 12, 12


def odd_ids(tokenizer, rng):
    """Ids in no order: special tokens, bytes that are half a character, any piece."""
    byte_ids = [tokenizer.encoder[f"<0x{byte:02X}>"] for byte in range(256)]
    special = [tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id]
    pools = [range(tokenizer.vocab_size), byte_ids, special]
    return [rng.choice(rng.choice(pools)) for _ in range(rng.randint(0, 12))]


def row(tokenizer, text):
    source = tokenizer(text)["input_ids"][:-1]
    target = tokenizer(text_target=text)["input_ids"][:-1]

    def decode(ids, side):
        return tokenizer.decode(ids, skip_special_tokens=True, use_source_tokenizer=side)

    return {"text": text, "source_ids": source, "target_ids": target,
            "source_decoded": decode(source, True), "target_decoded": decode(target, False)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models/demo-de-en")
    parser.add_argument("--out", type=Path, default=ROOT / "tests/data/marian_tokenizer.json")
    args = parser.parse_args()
    tokenizer = transformers.MarianTokenizer.from_pretrained(args.model)
    test = (args.model / "test.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
    rng = random.Random(1)
    ordinary = [rng.choice(line.split("\t")) for line in rng.sample(test, ORDINARY)]
    odd = [odd_ids(tokenizer, rng) for _ in range(ODD)]
    parts = {
        "texts": [row(tokenizer, text) for text in TEXTS + ordinary],
        "tokens": [{"ids": ids, "decoded": tokenizer.decode(
            ids, skip_special_tokens=True, use_source_tokenizer=False)} for ids in odd],
    }
    head = {"command": "python3 tests/support/make_tokenizer_reference.py",
            "transformers": transformers.__version__}
    rows = ",\n".join(
        f' "{name}": [\n' + ",\n".join(f"  {json.dumps(item)}" for item in items) + "\n ]"
        for name, items in parts.items())
    args.out.write_text(f"{json.dumps(head, indent=1)[:-2]},\n{rows}\n}}\n", encoding="utf-8")
    print(f"{len(parts['texts'])} texts, {len(odd)} lists of ids")


if __name__ == "__main__":
    main()
