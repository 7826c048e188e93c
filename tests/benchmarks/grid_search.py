#!/usr/bin/env python3
"""Decode a text with every combination of kNN settings: what `knnseq tune` saves, and by how much.

    grid_search.py --config configs/demo.yaml --source VALID.de --reference VALID.en \\
        [--k 16] [--temperature 10 20 50] [--lambda 0.5 0.6 0.7] [--length-penalty 1.0 1.4]

Each combination is one more item of `decode` in the config's run directory (which must have its index),
so an interrupted search resumes where it was, and combinations that were decoded before are not
decoded again. Prints the table and the best combination; the highest BLEU wins. Needs what
scripts/demo.sh installed and built.
"""
import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GRID = {"k": (int, [16]), "temperature": (float, [10.0, 20.0, 50.0]),
        "lambda": (float, [0.5, 0.6, 0.7]), "length_penalty": (float, [1.0, 1.4])}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--source", required=True)
    parser.add_argument("--reference", required=True)
    parser.add_argument("--ranks", type=int, default=2)
    for name, (kind, default) in GRID.items():
        parser.add_argument("--" + name.replace("_", "-"), type=kind, nargs="+", default=default)
    return parser.parse_args()


def main():
    args = vars(parse_args())
    items = [{"name": f"base-l{penalty:g}", "knn": "false", "length_penalty": penalty}
             for penalty in args["length_penalty"]]
    for values in itertools.product(*(args[name] for name in GRID)):
        item = dict(zip(GRID, values))
        items.append({"name": "-".join(f"{n[0]}{v:g}" for n, v in item.items()), **item})
    lines = ["decode:"]
    for item in items:
        item.update(source=args["source"], reference=args["reference"])
        item["name"] = "grid-" + item["name"]
        lines.append("  - {" + ", ".join(f"{key}: {value}" for key, value in item.items()) + "}")

    # The config as it is, with this list in the place of its own.
    kept, inside = [], False
    for line in args["config"].read_text(encoding="utf-8").splitlines():
        inside = line.startswith("decode:") or (inside and line.startswith((" ", "-", "#")))
        if not inside:
            kept.append(line)
    run_dir = next(line.split(":", 1)[1].strip() for line in kept if line.startswith("run_dir:"))
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as config:
        config.write("\n".join(kept + lines) + "\n")
        config.flush()
        program = str(Path(os.environ.get("KNNSEQ_BUILD", ROOT / "build")) / "bin" / "knnseq")
        for stage in ("decode", "evaluate"):
            command = f'source "{ROOT}/scripts/environment.sh" && exec mpirun -np {args["ranks"]} ' \
                      f'"{program}" {stage} --config "{config.name}"'
            code = subprocess.run(["bash", "-c", command]).returncode
            if code:
                return code
    scores = json.loads((Path(run_dir) / "evaluate" / "scores.json").read_text())["scores"]
    best = max(scores, key=lambda score: score["bleu"]["score"])
    print(f"best: {best['name']}, BLEU {best['bleu']['score']:.2f} ({best['settings']})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
