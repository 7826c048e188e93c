#!/usr/bin/env python3
"""Write tests/data/metrics/languages.json: what sacrebleu makes of text in many scripts.

  pairs        [[hypothesis, reference] …], lines in many scripts, some of them hard on a tokeniser
  tokenized    tokenisation -> the same pairs as sacrebleu tokenises them for BLEU; spm is by the
               SentencePiece model of the demo model's sources
  bleu         tokenisation -> {"score", "signature"} of all pairs
  chrf_pp, ter {"score", "signature"} of all pairs; ter_lines: [edits, reference's words] of each
               pair, then of each pair of hypotheses.txt and references.txt
  ter_all, chrf_pp_all      scores of hypotheses.txt and references.txt
  bootstrap    chrF++ and TER of those of their lines that figures.json calls translations, against
               the same with every other line short of its last word: as in bootstrap.json

Needs the packages of scripts/requirements-dev.txt.
"""
import json
from pathlib import Path

import sacrebleu
import sentencepiece
from sacrebleu.metrics.lib_ter import translation_edit_rate
from sacrebleu.significance import PairedTest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data/metrics"
RESAMPLES = 200
PAIRS = [
    ("我喜欢机器翻译，因为它很快。", "我很喜欢机器翻译，因为它快。"),
    ("他在2023年11月23日买了3.5公斤苹果。", "2023年11月23日，他买了3.5公斤的苹果。"),
    ("請打開Windows 10的設定(Settings)。", "請開啟 Windows 10 的「設定」（Settings）。"),
    ("全角 space　and ０１２，３％", "全角 space and 012,3%"),
    ("㐀㐁 𠀀𠀁 豈 ⼀ ⿰ ㄅ ㆠ ㇀ ︐ ︰ ☀ ✂ ㈠ ㌀", "㐀 𠀀𠀁豈⼀⿰ ㄅㆠ㇀︐︰☀✂㈠㌀"),
    ("quotes “x” and dashes — here… †", "quotes \"x\" and dashes – here ... ‡"),
    ("日本語のテストです。カタカナｶﾀｶﾅ、ひらがな。", "これは日本語のテストです。カタカナ、ひらがな！"),
    ("私は昨日、東京で寿司を食べました。", "昨日は東京でおいしい寿司を食べた。"),
    ("한국어 문장입니다. 정말로?", "한국어 문장이다. 정말로!"),
    ("나는 어제 서울에서 3,000원을 썼다.", "어제 서울에서 나는 3,000원을 썼습니다."),
    ("ฉันรักภาษาไทย 123 ครับ", "ผมรักภาษาไทย ๑๒๓ ครับ"),
    ("ຂ້ອຍຮັກພາສາລາວ", "ຂ້ອຍມັກພາສາລາວ"),
    ("ខ្ញុំស្រឡាញ់ភាសាខ្មែរ។", "ខ្ញុំចូលចិត្តភាសាខ្មែរ។"),
    ("ကျွန်တော် မြန်မာစကား ပြောတယ်။", "ကျွန်မ မြန်မာစကား ပြောပါတယ်။"),
    ("Я люблю машинный перевод — правда, №5!", "Мне нравится машинный перевод, правда: № 5."),
    ("ΟΔΥΣΣΕΥΣ ΚΑΙ ΣΩΚΡΑΤΗΣ, Σ. ΑΣ' ΣΑΣ.", "οδυσσευς και σωκρατης, σ. ας' σας."),
    ("İSTANBUL ILIK Şehir", "i̇stanbul ilik şehir"),
    ("STRASSE STRAẞE ÄÖÜ Ǆ ǅ Ǉ Ⅷ Ⓐ Ａ", "strasse straße äöü ǆ ǆ ǉ ⅷ ⓐ ａ"),
    ("ԱՐԵՒ 𐐀𐐁 Ⴀ Ა ᎠᏰ Ꙁ", "արեւ 𐐨𐐩 ⴀ ა ꭰᏸ ꙁ"),
    ("مرحبا بالعالم، كيف حالك؟ ٣٫١٤", "مرحبا يا عالم، كيف حالك؟ ٣٫١٤"),
    ("यह १२,३४५ रुपये है। ठीक?", "यह १२,३४५.५ रुपये है। ठीक है?"),
    ("a.b,c 1.5,2 x-y 3-4 5.a a.5 ½.½ ٣.٤ Ⅳ.Ⅴ .5. 7.", "a.b, c 1.5, 2 x - y 3-4 5. a a. 5 ½.½ ٣.٤ Ⅳ.Ⅴ .5. 7."),
    ("€5 + 3£ = $8 ≤ 10¥ ^~|` ©®™ → ★ 😀👍🏽", "5€ + £3 = 8$ ≤ ¥10 ^ ~ | ` © ® ™ ← ☆ 😀 👍🏽"),
    ("don't (well-known) [brackets] {braces} \"quotes\" 'single'", "do not (well known) brackets braces quotes single"),
    ("(hi) hi) (hi -x- ... a. .a . a b", "(hi) hi (hi x ... a. .a . a c"),
    ("one two three four five six seven eight nine ten", "six seven eight nine ten one two three four five"),
    ("b a d c f e h g j i", "a b c d e f g h i j"),
    ("the cat the cat the cat sat on on the the mat mat", "the mat the cat sat on the cat on the mat the cat"),
    ("a b c", "a b c a b c a b c a b c a b c a b c a b c a b c a b c a b c a b c a b c a b c a b c a b c a b c a b c"),
    (" ".join(f"w{i % 7}" for i in range(90)), " ".join(f"w{(i * 3) % 11}" for i in range(80))),
    (" ".join(f"v{i}" for i in range(120)), " ".join(f"v{(i + 40) % 120}" for i in range(120))),
    ("x " * 40, "y"), ("y", "x " * 70), ("", "only a reference"), ("only a hypothesis", ""), ("", ""),
    ("tabs\tand\u00a0spaces\u2003and\u3000ends  ", "tabs and spaces and ends"),
]


class Pieces:
    """sacrebleu's spm tokeniser with a model of one's own."""

    def __init__(self):
        self.processor = sentencepiece.SentencePieceProcessor(str(ROOT / "models/demo-de-en/source.spm"))

    def __call__(self, line):
        return " ".join(self.processor.EncodeAsPieces(line))

    def signature(self):
        return "spm-source"


def metric(tokenization):
    bleu = sacrebleu.BLEU(tokenize="none" if tokenization == "spm" else tokenization)
    if tokenization == "spm":
        bleu.tokenizer = Pieces()
        bleu.tokenizer_signature = bleu.tokenizer.signature()
    return bleu


def scored(found, hypotheses, references):
    score = found.corpus_score(hypotheses, [references]).score
    return {"score": score, "signature": str(found.get_signature())}


def ter_of(ter, pair):
    hypothesis, reference = (ter._preprocess_segment(line).split() for line in pair)
    return list(translation_edit_rate(hypothesis, reference))


def read(name):
    return (DATA / name).read_text(encoding="utf-8").rstrip("\n").split("\n")


def bootstrap(hypotheses, references):
    baseline = [h[:h.rfind(" ")] if i % 2 == 0 and " " in h else h for i, h in enumerate(hypotheses)]
    _, results = PairedTest([("baseline", baseline), ("system", hypotheses)],
                            {"chrf": sacrebleu.CHRF(word_order=2), "ter": sacrebleu.TER()}, [references],
                            test_type="bs", n_samples=RESAMPLES)()
    return {f"{name}_{system}": {"score": float(result.score), "mean": float(result.mean), "ci": float(result.ci),
                                 "p_value": result.p_value}
            for name, of_metric in results.items() if name != "System"
            for system, result in zip(("baseline", "system"), of_metric)}


def main():
    hypotheses, references = map(list, zip(*PAIRS))
    found = {"command": "python3 tests/support/make_language_metrics_reference.py",
             "sacrebleu": sacrebleu.__version__, "pairs": PAIRS, "tokenized": {}, "bleu": {}}
    for name in ("13a", "intl", "char", "zh", "none", "spm"):
        bleu = metric(name)
        found["tokenized"][name] = [[" ".join(bleu.tokenizer(line.rstrip()).split()) for line in pair] for pair in PAIRS]
        found["bleu"][name] = scored(bleu, hypotheses, references)
    ter, chrf = sacrebleu.TER(), sacrebleu.CHRF(word_order=2)
    found["chrf_pp"] = scored(chrf, hypotheses, references)
    found["ter"] = scored(ter, hypotheses, references)
    more = [read("hypotheses.txt"), read("references.txt")]
    found["ter_lines"] = [ter_of(ter, pair) for pair in [*PAIRS, *zip(*more)]]
    found["ter_all"] = ter.corpus_score(more[0], [more[1]]).score
    found["chrf_pp_all"] = chrf.corpus_score(more[0], [more[1]]).score
    first, end = json.loads((DATA / "figures.json").read_text())["subsets"]["translations"]["lines"]
    found["bootstrap"] = bootstrap(more[0][first:end], more[1][first:end]) | {"lines": [first, end],
                                                                             "resamples": RESAMPLES, "seed": 12345}
    text = json.dumps(found, ensure_ascii=False, indent=0, separators=(",", ":"))
    (DATA / "languages.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
