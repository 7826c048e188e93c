#!/usr/bin/env python3
"""Make a German-to-English corpus of another domain from Debian's package descriptions.

    make_package_corpus.py --archive URL [--out data/packages] [--release bookworm] [--max-pairs N]

Writes what scripts/make_libreoffice_corpus.py writes: OUT/{datastore,valid,test}.{de,en}, one sentence a
line, and OUT/corpus.json. Source: the archive's Translation-de and Translation-en, whose descriptions are
joined by the checksum of the English text (Description-md5). Paragraphs and list items stand in the same
order in both languages; those with as many sentences on both sides are cut into sentences. Standard library
only. The same lists give the same bytes.
"""
import argparse
import bz2
import hashlib
import lzma
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import make_libreoffice_corpus as libreoffice  # noqa: E402

UNPACKERS = {"xz": lzma.decompress, "bz2": bz2.decompress}
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-ZÄÖÜ0-9\"„(])")
ITEM = re.compile(r"^\s*[*+-]\s+")


def download(archive, release, language):
    """The list of one language as text."""
    for ending, unpack in UNPACKERS.items():
        url = f"{archive}/dists/{release}/main/i18n/Translation-{language}.{ending}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                packed = answer.read()
        except urllib.error.HTTPError:
            continue
        except OSError as error:
            sys.exit(f"{url}: {error}")
        if packed:
            return unpack(packed).decode()
    sys.exit(f"{archive} has no Translation-{language} of {release} packed as {' or '.join(UNPACKERS)}")


def descriptions(text, language):
    """{checksum of the English text: (package, [paragraphs and list items])}"""
    found = {}
    for entry in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines()
                      if not line.startswith(" ") and ": " in line)
        if f"Description-{language}" not in fields:
            continue
        lines = [line for line in entry.splitlines() if line.startswith(" ")]
        parts = [fields[f"Description-{language}"]] + parts_of(lines)
        found[fields["Description-md5"]] = (fields["Package"], parts)
    return found


def parts_of(lines):
    """Paragraphs and list items of a long description, each as one line."""
    parts, open_part = [], False
    for line in lines:
        if line.strip() in ("", "."):
            open_part = False
        elif ITEM.match(line):
            parts.append(ITEM.sub("", line))
            open_part = True
        elif open_part:
            parts[-1] += " " + line.strip()
        else:
            parts.append(line.strip())
            open_part = True
    return [" ".join(part.split()) for part in parts]


def pairs_of(german, english):
    """Sentence pairs of two descriptions; none if they are built differently."""
    if len(german) != len(english):
        return []
    pairs = []
    for both in zip(german, english):
        sentences = [SENTENCE_END.split(part) for part in both]
        if len(sentences[0]) == len(sentences[1]):
            pairs += zip(*sentences)
        else:
            pairs.append(both)
    return [(a, b) for a, b in pairs if a != b and len(a.split()) <= 80 and len(b.split()) <= 80]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("data/packages"),
                        help="folder to write (default: %(default)s)")
    parser.add_argument("--archive", required=True, metavar="URL",
                        help="a mirror of the Debian archive, such as the one that apt's sources name")
    parser.add_argument("--release", default="bookworm", help="default: %(default)s")
    parser.add_argument("--max-pairs", type=int, metavar="N",
                        help="keep only the datastore's first N pairs")
    args = parser.parse_args()
    texts = {language: download(args.archive, args.release, language) for language in ("de", "en")}
    german, english = (descriptions(text, language) for language, text in texts.items())
    pages = {}
    for checksum, (package, parts) in german.items():
        if checksum in english:
            pages.setdefault(package, []).extend(pairs_of(parts, english[checksum][1]))
    inputs = {f"Translation-{language}": hashlib.sha256(text.encode()).hexdigest()
              for language, text in texts.items()}
    splits = libreoffice.split_pages(pages)
    if args.max_pairs:
        splits["datastore"] = libreoffice.first_pairs(splits["datastore"], args.max_pairs)
    libreoffice.write_corpus(splits, inputs, args.out)


if __name__ == "__main__":
    main()
