#!/usr/bin/env python3
"""Make a German-to-English domain corpus from the LibreOffice help.

    make_libreoffice_corpus.py [--out data/libreoffice] [--packages DIR] [--max-pairs N]

Writes OUT/{datastore,valid,test}.{de,en}: UTF-8 text, one sentence a line, line
i of the one side translating line i of the other, and OUT/corpus.json with
counts and checksums. The same packages always give the same bytes.

Source: the Debian packages libreoffice-help-de and libreoffice-help-en-us
(MPL-2.0), downloaded with apt-get and unpacked without being installed. Help
pages are HTML whose paragraphs and headings carry the same ids in every
language, so pairs are found by page and id. Standard library only; no root.
"""
import argparse
import collections
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import help_pages

PACKAGES = {"de": "libreoffice-help-de", "en-US": "libreoffice-help-en-us"}
HELD_OUT = {"valid": (500, 6), "test": (1000, 14)}  # split: pairs, most pairs of one page


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def normalised(source):
    """What two sources must not share across splits: their letters alone."""
    return "".join(c for c in source.casefold() if c.isalpha())


def split_pages(pages):
    """{split: {page: pairs}}: held-out pages first, the rest is the datastore.

    A held-out pair's source occurs nowhere else, on its own page or any other.
    """
    order = sorted(pages, key=digest)
    seen = collections.Counter(normalised(source) for name in order for source, _ in pages[name])
    splits, at = {}, 0
    for split, (wanted, most) in HELD_OUT.items():
        chosen, total = {}, 0
        while total < wanted:
            if at == len(order):
                sys.exit(f"too few pages for {wanted} {split} pairs")
            name, at = order[at], at + 1
            alone = [pair for pair in pages[name] if seen[normalised(pair[0])] == 1]
            by_digest = sorted(set(alone), key=lambda pair: digest("\t".join(pair)))
            kept = set(by_digest[:min(most, wanted - total)])
            if kept:
                chosen[name] = [pair for pair in alone if pair in kept]
                total += len(kept)
        splits[split] = chosen
    known, splits["datastore"] = set(), {}
    for name in order[at:]:
        fresh = [pair for pair in dict.fromkeys(pages[name]) if pair not in known]
        known.update(fresh)
        splits["datastore"][name] = fresh
    return splits


def package_files(folder):
    """The two .deb files in folder, downloaded if it has none."""
    found = []
    for package in PACKAGES.values():
        debs = sorted(folder.glob(package + "_*.deb"))
        if not debs:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as part:
                run(["apt-get", "download", "-q", package], part)
                debs = [deb.rename(folder / deb.name) for deb in Path(part).glob("*.deb")]
        if len(debs) != 1:
            sys.exit(f"{folder}: expected one {package}_*.deb, found {len(debs)}")
        found += debs
    return found


def run(command, folder):
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        sys.exit(f"{command[0]} not found: on systems other than Debian give --packages a folder "
                 "that holds the unpacked packages")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{error.stderr.strip()}")


def help_folder(folder):
    """The folder with de/text and en-US/text in an unpacked tree, or None."""
    for inner in ("", "help", "share/libreoffice/help", "usr/share/libreoffice/help"):
        if all((folder / inner / language / "text").is_dir() for language in PACKAGES):
            return folder / inner
    return None


def page_files(folder):
    """{page: (German file, English file)}; a page is a path such as swriter/guide/fields.html."""
    roots = [folder / language / "text" for language in PACKAGES]
    names = sorted(str(path.relative_to(roots[0])) for path in roots[0].rglob("*.html"))
    return {name: tuple(root / name for root in roots)
            for name in names if (roots[1] / name).is_file()}


def file_digest(paths):
    total = hashlib.sha256()
    for path in paths:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def is_current(out, inputs):
    """Whether OUT's files are those a former run made of the same inputs."""
    try:
        record = json.loads((out / "corpus.json").read_text(encoding="utf-8"))
        return record["inputs"] == inputs and all(
            file_digest([out / name]) == value for name, value in record["sha256"].items())
    except (OSError, ValueError, KeyError):
        return False


def write(path, text):
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, path)


def write_corpus(splits, inputs, out):
    out.mkdir(parents=True, exist_ok=True)
    record = {"inputs": inputs, "splits": {}, "sha256": {}}
    for split, pages in sorted(splits.items()):
        pairs = [pair for page in pages.values() for pair in page]
        for language, side in zip(("de", "en"), zip(*pairs)):
            path = out / f"{split}.{language}"
            write(path, "\n".join(side) + "\n")
            record["sha256"][path.name] = file_digest([path])
        german, english = (sum(len(text.split()) for text in side) for side in zip(*pairs))
        record["splits"][split] = {"pairs": len(pairs), "german_words": german,
                                   "english_words": english,
                                   "pages": sum(map(bool, pages.values()))}
        print(f"{split}: {len(pairs)} pairs, {german} German and {english} English words, "
              f"{record['splits'][split]['pages']} pages")
    write(out / "corpus.json", json.dumps(record, indent=2) + "\n")


def first_pairs(pages, count):
    """The first count pairs of {page: pairs}."""
    kept = {}
    for name, pairs in pages.items():
        kept[name] = pairs[:count]
        count -= len(kept[name])
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("data/libreoffice"),
                        help="folder to write (default: %(default)s)")
    parser.add_argument("--packages", type=Path, metavar="DIR",
                        help="folder with the two .deb files or with their unpacked tree "
                        "(default: OUT/packages, filled by apt-get download)")
    parser.add_argument("--max-pairs", type=int, metavar="N",
                        help="keep only the datastore's first N pairs")
    args = parser.parse_args()
    if args.max_pairs is not None and args.max_pairs < 1:
        parser.error("--max-pairs must be at least 1")
    if args.packages and not args.packages.is_dir():
        parser.error(f"--packages: no folder {args.packages}")

    packages = args.packages or args.out / "packages"
    tree = help_folder(packages)
    files = page_files(tree) if tree else {}
    debs = [] if tree else package_files(packages)
    inputs = {"max_pairs": args.max_pairs,
              "scripts": file_digest([Path(__file__), Path(help_pages.__file__)]),
              "packages": [deb.name for deb in debs] or "unpacked",
              "contents": file_digest(debs or [path for both in files.values() for path in both])}
    if is_current(args.out, inputs):
        print(f"{args.out} is up to date")
        return
    with tempfile.TemporaryDirectory() as unpacked:
        for deb in debs:
            run(["dpkg-deb", "-x", deb.resolve(), unpacked], None)
        tree = tree or help_folder(Path(unpacked))
        if not tree:
            sys.exit(f"no help pages in {' and '.join(map(str, debs))}")
        files = files or page_files(tree)
        splits = split_pages({name: help_pages.pairs_of(german, english)
                              for name, (german, english) in files.items()})
    if args.max_pairs:
        splits["datastore"] = first_pairs(splits["datastore"], args.max_pairs)
    write_corpus(splits, inputs, args.out)


if __name__ == "__main__":
    main()
