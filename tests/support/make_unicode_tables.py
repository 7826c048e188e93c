#!/usr/bin/env python3
"""Write common/metrics/unicode_tables.cpp: what sacrebleu's tokenisers know of characters.

Numbers, punctuation and symbols as the module regex has them, by which sacrebleu's "intl" tokenises;
small letters as Python's str.lower() gives them, by which its TER does.

Needs regex (scripts/requirements-dev.txt).
"""
import argparse
from pathlib import Path

import regex

ROOT = Path(__file__).resolve().parents[2]
HEAD = '''// Written by tests/support/make_unicode_tables.py (regex {regex}).
#include "metrics/unicode.hpp"

namespace knnseq::metrics {{

// clang-format off
'''
CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def ranges(codes):
    """[(first, last)] of consecutive codes."""
    found = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def mappings():
    """[(first, last, step, difference)] of the letters that have one small letter, U+0130 aside."""
    found = []
    for code in CODES:
        small = chr(code).lower()
        if len(small) != 1 or ord(small) == code:
            continue
        difference = ord(small) - code
        if found and found[-1][3] == difference:
            first, last, step, _ = found[-1]
            if code - last in (1, 2) and step in (0, code - last):
                found[-1] = [first, code, code - last, difference]
                continue
        found.append([code, code, 0, difference])
    return [[first, last, step or 1, difference] for first, last, step, difference in found]


def array(kind, name, rows):
    cells = ["{" + ", ".join(f"0x{value:X}" if value >= 0 else f"-0x{-value:X}" for value in row) + "}" for row in rows]
    lines, line = [], "   "
    for cell in cells:
        if len(line) + len(cell) + 2 > 100:
            lines.append(line)
            line = "   "
        line += f" {cell},"
    return (f"constexpr {kind} {name}_table[] = {{\n" + "\n".join([*lines, line]) + "\n};\n"
            f"const std::span<const {kind}> {name} = {name}_table;\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "common/metrics/unicode_tables.cpp")
    args = parser.parse_args()
    text = HEAD.format(regex=regex.__version__)
    for name, expression in (("numbers", r"\p{N}"), ("punctuation", r"\p{P}"), ("symbols", r"\p{S}")):
        matches = regex.compile(expression).match
        text += "\n" + array("CodeRange", name, ranges(code for code in CODES if matches(chr(code))))
    # A capital sigma is small at the end of a word in another way: after a cased character, and case-ignorable ones.
    final = "\u03c2"
    text += "\n" + array("CodeRange", "case_ignorable", ranges(
        code for code in CODES if code != 0x3A3 and ("A" + chr(code) + "\u03a3").lower().endswith(final)
        and not (chr(code) + "\u03a3").lower().endswith(final)))
    text += "\n" + array("CodeRange", "cased", ranges(
        code for code in CODES if (chr(code) + "\u03a3").lower().endswith(final)))
    text += "\n" + array("CaseRange", "small_letters", mappings())
    args.out.write_text(text + "\n// clang-format on\n\n}  // namespace knnseq::metrics\n", encoding="utf-8")


if __name__ == "__main__":
    main()
