#!/usr/bin/env python3
"""Check which folder of the code includes which, and how large folders and files are: exit 1 and one
line for each broken rule.

    check_layers.py [ROOT]

A room is a folder of common/ or stages/. A room may include its own headers and those of the rooms named
for it here, which come before it, so that there is no cycle. An edge that nothing uses is an error too, and
so is a room of the table without files. Third-party headers belong to the modules that wrap them.
docs/design.md has the same rooms and edges (tests/scripts/test_documents.py); tests/scripts/test_check_layers.py
breaks every rule once.
"""
import re
import sys
from pathlib import Path

ALLOWED = {  # room: the rooms it includes
    "core": "",
    "obs": "core",
    "config": "core",
    "comm": "core obs",
    "gpu": "comm core obs",
    "store": "comm core",
    "text/pieces": "core",
    "text/files": "core",
    "text/tokenizers": "core text/pieces",
    "text": "core",
    "http": "core",
    "metrics": "core text/files text/pieces",
    "runtime": "comm core gpu obs store",
    "model/base": "core",
    "model/safetensors": "core",
    "model/layers": "core gpu model/base",
    "model/transformer": "gpu model/base model/layers",
    "model/families": "core model/base model/layers model/safetensors model/transformer",
    "model/torchscript": "core model/base model/families",
    "model": "core gpu model/base model/families model/safetensors model/torchscript model/transformer",
    "search": "core gpu model/base",
    "index/simd": "core",
    "index/core": "core",
    "index/faiss_io": "core index/core obs",
    "index/sample": "comm core gpu index/core index/simd",
    "index/quantize": "core gpu index/core index/faiss_io index/sample index/simd",
    "index/train": "comm core index/core index/faiss_io index/quantize index/sample obs",
    "index/prune": "core index/core index/faiss_io",
    "index/search": "comm core gpu index/core index/faiss_io index/simd",
    "retrieval/exchange": "comm core gpu index/core",
    "retrieval/mixing": "comm core gpu index/core model/safetensors",
    "retrieval": "comm core gpu index/core index/quantize index/search retrieval/exchange "
                 "retrieval/mixing",
    "retrieval/subset": "comm core index/core index/quantize index/search obs retrieval "
                        "retrieval/exchange",
}
# Rooms of stages/shared, from the bottom; each may include those before it and any room of common/.
SHARED = ["options", "plan", "inputs", "text", "sample", "training", "shards", "search", "trace",
          "translation", "page"]
# Stages that are made of other stages.
COMPOSED = {"run", "plan", "append", "merge", "prune", "train", "tune"}
LARGEST_FOLDER = 40  # files of code
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
    "httplib.h": {"http"},
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


def room_of(header, root):
    """The room of a header of ours as other files include it; None for other people's."""
    folder = str(Path(header).parent)
    if folder in ALLOWED and (root / "common" / header).exists():
        return folder
    return folder if folder.split("/")[0] == "stages" else None


def included_stage(room, header):
    """Why a file in this room of stages/ may not include a header of stages/; None if it may."""
    mine, other = room.split("/"), str(Path(header).parent).split("/")
    if mine == other or mine == ["stages"]:
        return None
    if other[1:2] == ["shared"]:
        order = SHARED + other[2:3]  # an unknown folder counts as the last one
        if mine[1:2] == ["shared"] and order.index(other[2]) > order.index(mine[2]):
            return f"stages/shared/{mine[2]} comes before {other[2]}"
        return None
    if mine[1] == "shared" or (len(other) > 1 and mine[1] not in COMPOSED):
        return f"{room} may not include another stage"
    return None


def problems_of(root, path, used):
    """Broken rules of one file, as lines of text. Adds to `used` the pairs of rooms it needs."""
    parts = path.relative_to(root).parts
    module = parts[1] if parts[0] == "common" else "stages"
    room = "/".join(parts[1:-1] if parts[0] == "common" else parts[:-1])
    shared = room.removeprefix("stages/shared/") if room.startswith("stages/shared/") else SHARED[0]
    if shared not in SHARED or (module != "stages" and room not in ALLOWED):
        yield f"{path}: {room} is not a room of scripts/check_layers.py"
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > LONGEST:
        yield f"{path}: {len(lines)} lines; {LONGEST} are the most"
    if path.suffix in (".hpp", ".cuh") and not any(line.strip() == "#pragma once" for line in lines):
        yield f"{path}: no #pragma once"
    for number, line in enumerate(lines, 1):
        place = f"{path}:{number}"
        if module != "obs" and PRINTING.search(line.split("//")[0]):
            yield f"{place}: print through obs/terminal.hpp"
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match.group(1)
        other = room_of(header, root)
        if other is None:
            start = max((s for s in WRAPPERS if header.startswith(s)), key=len, default=None)
            if start and module not in WRAPPERS[start]:
                owners = ", ".join(sorted(WRAPPERS[start])) or "no module"
                yield f"{place}: <{header}> belongs to {owners}"
        elif other.startswith("stages"):
            why = "only stages include stages" if module != "stages" else included_stage(room, header)
            if why:
                yield f"{place}: {why}"
        elif module != "stages" and other != room:
            used.add((room, other))
            if other not in ALLOWED[room].split():
                yield f"{place}: {room} may not include {header}"


def problems_of_rooms(root, files, used):
    """Broken rules of the rooms and their table, as lines of text."""
    above = set()
    folders = [path.parent for path in files]
    for folder in [f"common/{room}" for room in ALLOWED] + [f"stages/shared/{room}" for room in SHARED]:
        if root / folder not in folders:
            yield f"check_layers.py: {folder} has no files"
    for room, allowed in ALLOWED.items():
        for other in allowed.split():
            if other not in above:
                yield f"check_layers.py: {other} must come before {room}"
            if (room, other) not in used:
                yield f"check_layers.py: {room} no longer includes {other}"
        above.add(room)
    for folder in sorted(set(folders)):
        if folders.count(folder) > LARGEST_FOLDER:
            yield f"{folder}: {folders.count(folder)} files of code; {LARGEST_FOLDER} are the most"


UNNAMED = re.compile(r"^namespace \{\n(.*?)^\}  // namespace\n", re.S | re.M)
FUNCTION = re.compile(r"^(?!//|#|struct|class|enum|using|template|namespace|constexpr|\}| )"
                      r"[\w:<>,&*\[\] ]+?[ &*](\w+)\(", re.M)


def repeated_functions(root):
    """Functions of one name in the unnamed namespaces of several files of a target, as lines of text. Files
    are compiled in groups: such functions overload each other, and a call may mean another file's."""
    files = {}
    for folder, parts in (("common", 2), ("stages", 1), ("tests/unit", 3), ("tests/mpi", 3), ("tests/gpu", 2)):
        for path in sorted((root / folder).rglob("*.cpp")):
            target = path.relative_to(root).parts[:parts]
            for block in UNNAMED.findall(path.read_text(encoding="utf-8")):
                for name in FUNCTION.findall(block):
                    files.setdefault((target, name), set()).add(path)
    for (_, name), paths in files.items():
        if len(paths) > 1:
            yield f"{min(paths)}: {name}() is in the unnamed namespace of {max(paths)} too"


def check(root):
    """All files of code below root, and all broken rules as lines of text."""
    files = [p for folder in ("common", "stages") for p in sorted((root / folder).rglob("*"))
             if p.suffix in (".hpp", ".cpp", ".cuh", ".cu", ".inc")]
    used = set()
    problems = [problem for path in files for problem in problems_of(root, path, used)]
    problems += problems_of_rooms(root, files, used)
    problems += repeated_functions(root)
    return files, problems


def main():
    files, problems = check(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent))
    print("\n".join(problems) if problems else f"{len(files)} files keep the layers")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
