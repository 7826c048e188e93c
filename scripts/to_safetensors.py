#!/usr/bin/env python3
"""Write model.safetensors from the pytorch_model.bin of a Hugging Face model directory.

    to_safetensors.py DIR [--force]

knnseq reads safetensors only; older models on the Hugging Face hub have pytorch_model.bin, whole
or in parts with pytorch_model.bin.index.json. All of it becomes one file beside it; every tensor
keeps its name, type and values. Tensors that share memory are written under each of their names.
Nothing in the file is executed. Needs Python and NumPy.
"""
import argparse
import json
from pathlib import Path

import tensor_files
from tensor_files import FileError, Tensor


def part_names(folder):
    """{file of the directory: names of tensors that it must have}."""
    whole, index = folder / "pytorch_model.bin", folder / "pytorch_model.bin.index.json"
    if whole.exists() or not index.exists():
        return {whole: set()}
    try:
        listed = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        parts = {}
        for name, part in listed.items():
            parts.setdefault(folder / Path(part).name, set()).add(name)
        return parts
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{index}: not an index of weights ({error})") from None


def tensors_of(folder):
    """{name: Tensor} of all parts."""
    tensors = {}
    for path, names in sorted(part_names(folder).items()):
        state = tensor_files.read_checkpoint(path)
        if not isinstance(state, dict):
            raise FileError(f"{path}: holds no tensors by name")
        for name, value in state.items():
            if not isinstance(name, str) or not isinstance(value, Tensor):
                raise FileError(f"{path}: {name!r} is not a tensor")
            if name in tensors:
                raise FileError(f"{path}: {name} is in another part too")
            tensors[name] = value
        if names - set(state):
            raise FileError(f"{path}: no {min(names - set(state))}, which the index puts there")
    return tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--force", action="store_true", help="replace a model.safetensors")
    args = parser.parse_args()
    out = args.directory / "model.safetensors"
    if out.exists() and not args.force:
        raise FileError(f"{out}: is there already (--force replaces it)")
    tensors = tensors_of(args.directory)
    tensor_files.write_safetensors(out, tensors)
    print(f"{out}: {len(tensors)} tensors, {sum(t.nbytes for t in tensors.values())} bytes")


if __name__ == "__main__":
    tensor_files.run(main)
