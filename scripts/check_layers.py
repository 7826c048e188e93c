#!/usr/bin/env python3
"""Check which module includes which: exit 1 and one line for each include that breaks the rules.

    check_layers.py [ROOT]

Modules are folders of common/ in tiers; a module may include its own headers and those of the
modules named for it here. Third-party headers belong to the modules that wrap them.
"""
import re
import sys
from pathlib import Path

ALLOWED = {
    "core": set(),
    "obs": {"core"},
    "config": {"core"},
    "comm": {"core", "obs"},
    "text": {"core", "obs"},
    "gpu": {"core", "obs", "comm"},
    "store": {"core", "obs", "comm"},
    "model": {"core", "obs", "gpu", "text"},
    "index": {"core", "obs", "comm", "gpu", "store"},
    "retrieval": {"core", "obs", "comm", "gpu", "store", "index"},
    "search": {"core", "model", "text"},
    "metrics": {"core", "text"},
    "runtime": {"core", "obs", "config", "comm", "gpu", "store"},
}
WRAPPERS = {  # start of a third-party header: modules that may include it
    "mpi.h": {"comm"},
    "hdf5.h": {"store"},
    "yaml-cpp/": {"config"},
    "faiss/": {"index"},
    "sentencepiece": {"text"},
    "zlib.h": {"text"},
    "bzlib.h": {"text"},
    "lzma.h": {"text"},
    "zstd.h": {"text"},
    "ATen/": {"model", "index", "gpu", "retrieval", "search", "stages"},
    "c10/": {"model", "index", "gpu", "retrieval", "search", "stages"},
    "torch/csrc/jit/": {"model"},
    "torch/": set(),
}
LONGEST = 600  # lines
# Text for people goes through obs/terminal.hpp, which takes out what a terminal would obey.
PRINTING = re.compile(r"\bfmt::print\(|\bstd::(puts|fputs|printf|cout|cerr|perror)\b|\bstd(out|err)\b"
                      r"|::write\(STD")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def problems_of(root, path):
    """Broken rules of one file, as lines of text."""
    parts = path.relative_to(root).parts
    module = parts[1] if parts[0] == "common" else "stages"
    stage = parts[1] if parts[0] == "stages" and len(parts) > 2 else None
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > LONGEST:
        yield f"{path}: {len(lines)} lines; {LONGEST} are the most"
    if path.suffix in (".hpp", ".cuh") and not any(line.strip() == "#pragma once" for line in lines):
        yield f"{path}: no #pragma once"
    for number, line in enumerate(lines, 1):
        if module != "obs" and PRINTING.search(line.split("//")[0]):
            yield f"{path}:{number}: print through obs/terminal.hpp"
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match.group(1)
        folder = header.split("/")[0]
        place = f"{path}:{number}"
        if folder in ALLOWED and module != "stages" and folder not in ALLOWED[module] | {module}:
            yield f"{place}: {module} may not include {header}"
        if folder == "stages":
            other = header.split("/")[1] if header.count("/") > 1 else None
            if module != "stages":
                yield f"{place}: only stages include stages"
            elif stage not in (None, "run", "append", "tune") and other not in (None, stage):
                yield f"{place}: stage {stage} may not include stage {other}"
        start = max((s for s in WRAPPERS if header.startswith(s)), key=len, default=None)
        if start and module not in WRAPPERS[start]:
            owners = ", ".join(sorted(WRAPPERS[start])) or "no module"
            yield f"{place}: <{header}> belongs to {owners}"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent)
    files = [p for folder in ("common", "stages") for p in sorted((root / folder).rglob("*"))
             if p.suffix in (".hpp", ".cpp", ".cuh", ".cu")]
    problems = [problem for path in files for problem in problems_of(root, path)]
    print("\n".join(problems) if problems else f"{len(files)} files keep the layers")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
