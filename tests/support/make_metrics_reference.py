#!/usr/bin/env python3
"""Write tests/data/metrics: fixed hypotheses and references, and what sacrebleu makes of them.

  hypotheses.txt, references.txt          a segment a line; the newline (\\n) alone ends one
  hypotheses.13a.txt, references.13a.txt  the same lines as sacrebleu's 13a tokenises them
  figures.json                            "subsets": name -> lines [first, end) and figures:
      bleu_score, bleu_precisions [4], bleu_counts [4] (matches), bleu_totals [4],
      brevity_penalty, sys_len, ref_len, chrf_score; scores and precisions in percent,
      every number with full precision; bleu_signature, chrf_signature, command
  bootstrap.json                          the translations against the same with every other
      line short of its last word (the baseline): mean, ci and p_value of both metrics by
      sacrebleu's paired bootstrap; some of the sentences that its resamples draw

The lines: greedy translations of test.tsv by the demo model, references changed at
random (seeded), lines that are hard on a tokeniser, lines without a 4-gram match,
without any, without enough words, and empty ones.

Needs the packages of scripts/requirements-dev.txt.
"""
import argparse
import json
import random
import string
from pathlib import Path

import numpy as np
import sacrebleu
import torch
import transformers
from sacrebleu.significance import PairedTest

ROOT = Path(__file__).resolve().parents[2]
TRANSLATED, CHANGED = 140, 70
RESAMPLES = 200

# (hypothesis, reference)
NASTY = [
    ("", "The hypothesis is empty."),
    ("The reference is empty.", ""),
    (" ", "Only a space."),
    ("No space at the end. ", "No space at the end."),
    ("  Three   spaces\there, and a tab.\t", "Three spaces here, and a tab."),
    ("Wait... what?! No!!", "Wait … what?! No!"),
    ("...", "..."),
    (".", "!"),
    ("1,000.50 and 3.14 and 1.000,50", "1,000.50 and 3.14 and 1.000,50"),
    ("It costs 5,99 or 5.99, or .99 or 99.", "It costs 5.99 or 5,99, or .99 or 99."),
    ("Version 7.4.7-1 of 2023-11-23.", "Version 7.4.7-1 of 2023-11-23."),
    ("Between 10-20 and 10 - 20 and x-1 and 1-x.", "Between 10-20 and 10–20 and x-1 and 1-x."),
    ("-5 -- a well-known e-mail - yes—no", "-5 - a well-known email -- yes – no"),
    ("\"Quoted\" and 'single' and don't.", "“Quoted” and ‘single’ and don’t."),
    ("„Deutsche“ »Guillemets« «français»", "\"Deutsche\" »Guillemets« « français »"),
    ("Bread &amp; butter &lt;b&gt; &quot;x&quot; &apos;", "Bread & butter <b> \"x\" '"),
    ("&amp;quot; &amp;amp; &amp;lt;", "&quot; &amp; &lt;"),
    ("AT&T & R&D&", "AT&T & R&D &"),
    ("A <skipped> word<skipped>", "A word"),
    ("<SKIPPED> & <skip ped>", "<skipped> & <skip ped>"),
    ("a(b)c[d]{e}~f`g^h_i@j#k$l%m*n+o=p|q\\r/s;t:u?v!w", "a (b) c [d] {e} ~ f ` g ^ h _ i @ j"),
    ("http://example.org/a?b=c&d=e#f", "https://example.org/a?b=c&d=e#f"),
    ("a.b,c.d, e.f.,g,.h", "a.b,c.d, e.f., g, .h"),
    ("1.a 1,a a.1 a,1 1.,1 ,1. .1,", "1.a 1,a a.1 a,1 1.,1 ,1. .1,"),
    ("我喜欢机器翻译。", "我喜欢机器翻译！"),
    ("日本語、テスト。カタカナｶﾀｶﾅ", "日本語のテスト。カタカナ"),
    ("한국어 문장입니다.", "한국어 문장이다."),
    ("全角 space　and ０１２，３", "全角 space and 012,3"),
    ("I 😀 you 👩‍👩‍👧‍👦 🇩🇪!", "I 😀 you 👨‍👩‍👧‍👦 🇩🇪."),
    ("👍🏽👍🏽👍", "👍🏽👍👍🏽"),
    ("cafe\u0301 and café", "café and cafe\u0301"),
    ("Z\u0351\u0308\u0327a\u0300l\u0301go", "Z\u0351\u0308a\u0300lgo"),
    ("10\u00a0000\u00a0€ and 5\u202f%", "10 000 € and 5 %"),
    ("line\u2028separator\u2029paragraph", "line separator paragraph"),
    ("zero\u200bwidth and soft\u00adhyphen and \ufeffmark", "zerowidth and softhyphen and mark"),
    ("next\u0085line and \u001funit and \u001cfile \u000bvertical \u000cform",
     "next line and unit file"),
    ("thin\u2009en\u2002em\u2003figure\u2007ogham\u1680math\u205fspace",
     "thin en em figure ogham math space"),
    ("non\u2011breaking and minus \u22125", "non-breaking and minus -5"),
    ("arabic ٣٫١٤ and ٣,٤ and १.२", "arabic ٣٫١٤ and ٣,٤ and १.३"),
    ("مرحبا بالعالم، كيف حالك؟", "مرحبا يا عالم، كيف حالك؟"),
    ("Straße STRASSE straße", "straße Strasse STRAẞE"),
    ("é.è,ê 5.é é.5 5,ß", "é.è, ê 5.é é.5 5,ß"),
    ("the the the the the the the", "the cat is on the mat"),
    ("x" * 300, "x" * 299 + "y"),
    ("a " * 120 + "b", "a " * 100 + "b"),
    ("Word.", "Word ."),
    ("ends with tab\t", "ends with tab"),
    ("\u00a0leading no-break", "leading no-break\u00a0"),
    ("mixed\u00a0 \u3000\u2028 run", "mixed run"),
    ("math: 𝒳²+𝒴²≤𝓇²", "math: 𝒳²+𝒴²=𝓇²"),
]
NO_4GRAMS = [  # some matches, but never four words in a row
    ("The red dog sat down.", "A red dog has sat."),
    ("He bought bread and old cheese today", "Yesterday he bought bread, not old cheese"),
    ("We often travel by fast train", "By train we travel often"),
    ("Please open the left window now", "Open the window on the left"),
    ("Nobody could answer her last question", "Her question had no answer"),
    ("My sister sings very well indeed", "Indeed my sister can sing"),
]
NOTHING = [("Completely other words here now", "Ganz andere Wörter stehen jetzt da"),
           ("Uno dos tres cuatro cinco", "One two three four five")]
SHORT = [("Yes", "Yes"), ("Thank you", "Thank you"), ("Go on", "Go away"), ("No", "Never")]
EMPTY = [("", "First reference."), ("", "Second, longer reference."), ("", "Third.")]
SAME = [(text, text) for text in (
    "Nothing differs between these two lines.", "Nor between these, 3.5 of them & more.")]


def translations(folder, pairs):
    """[(greedy translation, reference)], one source at a time, computed in float64."""
    tokenizer = transformers.MarianTokenizer.from_pretrained(folder)
    model = transformers.MarianMTModel.from_pretrained(folder, dtype=torch.float32).double().eval()
    for source, reference in pairs:
        ids = model.generate(**tokenizer(source, return_tensors="pt"), num_beams=1, max_length=100)
        yield tokenizer.decode(ids[0], skip_special_tokens=True), reference


def changed(reference, rng):
    """The reference with one to three random edits."""
    words = reference.split(" ")
    for _ in range(rng.randint(1, 3)):
        at, edit = rng.randrange(len(words)), rng.randrange(8)
        if edit == 0 and len(words) > 1:
            del words[at]
        elif edit == 1:
            words.insert(at, words[at])
        elif edit == 2:
            other = rng.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        elif edit == 3:
            words[at] = words[at].swapcase()
        elif edit == 4:
            words[at] = words[at].strip(string.punctuation) or words[at]
        elif edit == 5:
            words[at] += rng.choice([",", ".", "-", "!", " ...", "'s", " (" + words[at] + ")"])
        elif edit == 6:
            words[at] = words[at][::-1]
        else:
            words = words[:max(1, len(words) - 2)]
    return " ".join(words)


def figures(lines, first, end):
    hypotheses, references = map(list, zip(*lines[first:end]))
    bleu, chrf = sacrebleu.BLEU(tokenize="13a", smooth_method="exp"), sacrebleu.CHRF()
    scored = bleu.corpus_score(hypotheses, [references])
    return {"lines": [first, end], "bleu_score": scored.score,
            "bleu_precisions": scored.precisions, "bleu_counts": scored.counts,
            "bleu_totals": scored.totals, "brevity_penalty": scored.bp,
            "sys_len": scored.sys_len, "ref_len": scored.ref_len,
            "chrf_score": chrf.corpus_score(hypotheses, [references]).score,
            "signatures": [str(bleu.get_signature()), str(chrf.get_signature())]}


def subsets_of(groups):
    """({name: (first, end)}, lines): each group, each nasty line by itself, and everything."""
    lines, subsets = [], {}
    for name, group in groups.items():
        subsets[name] = (len(lines), len(lines) + len(group))
        lines += group
    first, end = subsets["nasty"]
    subsets.update({f"nasty_{i - first}": (i, i + 1) for i in range(first, end)})
    subsets["first_translation"] = (0, 1)
    subsets["all"] = (0, len(lines))
    return subsets, lines


def bootstrap(lines):
    hypotheses, references = map(list, zip(*lines))
    baseline = [h[:h.rfind(" ")] if i % 2 == 0 and " " in h else h
                for i, h in enumerate(hypotheses)]
    _, results = PairedTest(
        [("baseline", baseline), ("system", hypotheses)],
        {"bleu": sacrebleu.BLEU(), "chrf": sacrebleu.CHRF()}, [references],
        test_type="bs", n_samples=RESAMPLES)()
    found = {"lines": len(lines), "resamples": RESAMPLES, "seed": 12345}
    for metric in ("BLEU", "chrF2"):
        for system, result in zip(("baseline", "system"), results[metric]):
            found[f"{metric}_{system}"] = {
                "score": float(result.score), "mean": float(result.mean),
                "ci": float(result.ci),
                "p_value": result.p_value}
    draws = np.random.default_rng(12345).choice(len(lines), size=(RESAMPLES, len(lines)))
    found["first_resample"], found["last_resample"] = draws[0].tolist(), draws[-1].tolist()
    found["draws_of_1000003"] = np.random.default_rng(7).integers(0, 1000003, 20).tolist()
    found["draws_of_3000000000"] = np.random.default_rng(2**40 + 7).integers(
        0, 3000000000, 20).tolist()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models/demo-de-en")
    parser.add_argument("--out", type=Path, default=ROOT / "tests/data/metrics")
    args = parser.parse_args()
    test = (args.model / "test.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
    pairs = [tuple(line.split("\t")) for line in test][500:]
    rng = random.Random(1)
    references = [reference for _, reference in pairs[TRANSLATED:TRANSLATED + CHANGED]]
    subsets, lines = subsets_of({
        "translations": list(translations(args.model, pairs[:TRANSLATED])),
        "changed": [(changed(reference, rng), reference) for reference in references],
        "nasty": NASTY, "no_4gram_match": NO_4GRAMS, "no_match": NOTHING, "short": SHORT,
        "empty_hypotheses": EMPTY, "identical": SAME})
    found = {name: figures(lines, *both) for name, both in subsets.items()}
    bleu_signature, chrf_signature = [part.pop("signatures") for part in found.values()][0]
    tokenize = sacrebleu.BLEU(tokenize="13a").tokenizer
    args.out.mkdir(parents=True, exist_ok=True)
    for name, side in zip(("hypotheses", "references"), zip(*lines)):
        for suffix, texts in (("txt", side), ("13a.txt", [tokenize(t.rstrip()) for t in side])):
            (args.out / f"{name}.{suffix}").write_text(
                "".join(text + "\n" for text in texts), encoding="utf-8", newline="\n")
    head = {"command": "python3 tests/support/make_metrics_reference.py",
            "sacrebleu": sacrebleu.__version__, "bleu_signature": bleu_signature,
            "chrf_signature": chrf_signature}
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in found.items())
    (args.out / "figures.json").write_text(
        f'{json.dumps(head, indent=1)[:-2]},\n "subsets": {{\n{rows}\n }}\n}}\n', encoding="utf-8")
    paired = bootstrap(lines[slice(*subsets["translations"])])
    (args.out / "bootstrap.json").write_text(json.dumps(paired) + "\n", encoding="utf-8")
    print(f"{len(lines)} lines")
    for name in (n for n in found if not n.startswith("nasty_")):
        print(f"{name}: BLEU {found[name]['bleu_score']:.4f}, chrF {found[name]['chrf_score']:.4f}")


if __name__ == "__main__":
    main()
