#!/usr/bin/env python3
"""Write tests/data/nllb-added: the tokeniser of tests/data/models/nllb with the language gsw_Latn
added, as transformers saves it (tokenizer.json, tokenizer_config.json), and expected.json: the ids
that transformers gives.

Needs transformers; no PyTorch.
"""
import json
import tempfile
from pathlib import Path

import transformers

DATA = Path(__file__).resolve().parents[1] / "data"
ASKED = ["<s>", "<pad>", "</s>", "<unk>", "ace_Arab", "deu_Latn", "zul_Latn", "<mask>", "gsw_Latn"]


def main():
    tokenizer = transformers.NllbTokenizer.from_pretrained(DATA / "models" / "nllb")
    tokenizer.add_special_tokens(
        {"extra_special_tokens": [*tokenizer.extra_special_tokens, "gsw_Latn"]})
    out = DATA / "nllb-added"
    out.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer.save_pretrained(scratch)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            saved = json.loads((Path(scratch) / name).read_text(encoding="utf-8"))
            (out / name).write_text(json.dumps(saved, ensure_ascii=False, indent=None) + "\n",
                                    encoding="utf-8")
    ids = dict(zip(ASKED, tokenizer.convert_tokens_to_ids(ASKED)))
    (out / "expected.json").write_text(
        json.dumps({"transformers": transformers.__version__, "ids": ids}, indent=1) + "\n",
        encoding="utf-8")


if __name__ == "__main__":
    main()
