"""Writes tokenization.json: what the tokeniser of a Hugging Face directory makes of strings.

  "languages"  {"source", "target"} as the tokeniser names them, or null
  "prefix", "suffix"  ids around every source
  "forced"     ids in front of every target
  "length"     one more than the tokeniser's largest id
  "texts"      [{"text", "source_ids", "target_ids", "source_decoded", "target_decoded"}]: the
               text's own ids on either side, and decode(skip_special_tokens=True) of them;
               "source_decoded" is null if the vocabularies are separate: transformers looks
               source ids up in the target's
  "tokens"     [{"ids", "decoded"}]: ids that no text gives, decoded with the target side
"""
import json
import random

import transformers

TEXTS = [
    "", "Haus", "Das ist ein Haus.", "What's this?", "  two  spaces", "\ttab\there",
    "a\u00a0b\u3000c", "line\u2028separator", "zero\u200bwidth\ufeffmark", "soft\u00adhyphen",
    "Straße STRASSE ẞ Ärger öfter über", "ﬁ Ⅰ ½ ² Ａ２…",
    "cafe\u0301 café a\u0308 \u00e4", "Z\u0351\u0308\u0327a\u0300lgo", "日本語、テスト。", "한국어 문장",
    "我喜欢机器翻译", "Здравствуйте, мир!", "مرحبا بالعالم", "नमस्ते", "สวัสดี",
    "I 😀 you 👩‍👩‍👧‍👦 🇩🇪 👍🏽", "😀😀", "x😀y", "😀", "\ue000\U0010ffff\ufffd", "\u0001\u007f\u0080",
    "„Deutsch“ “English” »x« ‘y’ – — …", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "1234567890 3,14 1.000.000", "http://a.org/b?c=d&e=f#g", "x" * 80, "ab " * 20 + "c", "a\\b \\n",
    "don't we 've he 's . , ! ?", "A  B", "<unk>", "</s>", "<s>", "<pad>", "</s", "<mask>",
    "a</s>b", "Tom</s>Haus<pad>", "x <mask> y", "__de__", "__en__Haus", "__xx__ Haus",
    "deu_Latn", "eng_LatnHaus", "xxx_Latn Haus", "a__de__b", ">>deu<< Haus", "<s><s>",
    "Tom keeps his savings in a shoebox under the bed.",
    "Wir werden meinen Großvater diese Woche besuchen.",
    "Können Sie mir bitte sagen, wie spät es ist?", "I can't believe it, Mary — really!",
]
# Left out for NLLB: transformers' own normaliser makes a token of a space at the end, and none of
# the start of a text that is marked already; SentencePiece, which the models were trained with,
# does the opposite.
SPACES = [" ", "\u2581", "Haus  ", "a <unk>b", "Tom </s> Haus", "\u2581already\u2581marked"]
ODD = 16


def language_token(tokenizer, code):
    return f"__{code}__" if type(tokenizer).__name__ == "M2M100Tokenizer" else code


def language_ids(tokenizer):
    if type(tokenizer).__name__ == "M2M100Tokenizer":
        return list(tokenizer.id_to_lang_token)
    return sorted(i for token, i in tokenizer.get_vocab().items()
                  if token[3:4] == "_" and len(token) == 8 and token.isascii())


def largest_id(tokenizer):
    return max([*tokenizer.get_vocab().values(), *getattr(tokenizer, "id_to_lang_token", [])])


def decoded(tokenizer, ids, source):
    side = {"use_source_tokenizer": source} if hasattr(tokenizer, "spm_target") else {}
    return tokenizer.decode(ids, skip_special_tokens=True, **side)


def row(tokenizer, text, prefix, suffix):
    source = tokenizer(text).input_ids
    target = tokenizer(text_target=text).input_ids
    assert source[:prefix] + source[len(source) - suffix:] == tokenizer("").input_ids
    source = source[prefix:len(source) - suffix]
    target = target[prefix:len(target) - suffix]
    separate = getattr(tokenizer, "separate_vocabs", False)
    return {"text": text, "source_ids": source, "target_ids": target,
            "source_decoded": None if separate else decoded(tokenizer, source, True),
            "target_decoded": decoded(tokenizer, target, False)}


def write(folder, languages):
    options = dict(zip(("src_lang", "tgt_lang"), languages or ()))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
    frame = tokenizer("").input_ids
    prefix = 1 if languages else 0
    forced = tokenizer(text_target="").input_ids[:prefix]
    rng, size = random.Random(1), largest_id(tokenizer) + 1
    special = [0, 1, 2, 3, size - 1] + (language_ids(tokenizer) if languages else [])
    odd = [[rng.choice(rng.choice([range(size), range(4, 80), special]))
            for _ in range(rng.randint(0, 12))] for _ in range(ODD)]
    texts = TEXTS + ([] if "Nllb" in type(tokenizer).__name__ else SPACES)
    parts = {
        "texts": [row(tokenizer, text, prefix, len(frame) - prefix) for text in texts],
        "tokens": [{"ids": ids, "decoded": decoded(tokenizer, ids, False)} for ids in odd],
    }
    head = {"transformers": transformers.__version__,
            "languages": dict(zip(("source", "target"), languages)) if languages else None,
            "prefix": frame[:prefix], "suffix": frame[prefix:], "forced": forced, "length": size}
    rows = ",\n".join(
        f' "{name}": [\n' + ",\n".join(f"  {json.dumps(item)}" for item in items) + "\n ]"
        for name, items in parts.items())
    (folder / "tokenization.json").write_text(f"{json.dumps(head, indent=1)[:-2]},\n{rows}\n}}\n",
                                              encoding="utf-8")
