#!/usr/bin/env python3
"""Compare `knnseq import` with dd, which writes the same bytes to the same disk: GB/s in turns, and peak memory.

import_speed.py FOLDER [--entries N] [--width D] [--ranks N] [--shards N] [--rounds N] [--cold] [--program FILE]

FOLDER is made on the disk that is to be measured and removed in the end; it takes twice the keys' bytes, which
are entries × width × 2 (10 million of width 512: 10.2 GB, so 21 GB). Keys are random fp16 numbers in a memory
map without a header, as adaptive-kNN-MT has them, values random tokens of 64 bits. Each round runs

    dd if=/dev/zero of=FOLDER/dd bs=4M count=… conv=fdatasync     (as many bytes as the keys have)
    knnseq import                                                 (without an index)

and prints both rates, of the keys' bytes, and the import's peak resident memory (of the rank that needs most).
--cold drops the stored keys from the page cache before each import, which then reads them from the disk.

Needs NumPy and mpirun.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np
from make_random_model import make_random_model

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY, BLOCK = 8000, 1 << 16


def write_store(folder, entries, width):
    generator = np.random.default_rng(1)
    bits = generator.integers(0, 1 << 16, BLOCK * width, np.uint16)
    keys = ((bits & 0x83FF) | 0x3800).view(np.float16).reshape(BLOCK, width)  # ±0.5 to ±1
    with open(folder / "keys", "wb") as key_file, open(folder / "values", "wb") as value_file:
        for begin in range(0, entries, BLOCK):
            rows = min(BLOCK, entries - begin)
            np.roll(keys, begin // BLOCK, axis=1)[:rows].tofile(key_file)
            generator.integers(0, VOCABULARY, rows).tofile(value_file)
        for file in (key_file, value_file):
            file.flush()
            os.fsync(file.fileno())


def drop_from_cache(path):
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(command, **options):
    """Seconds, and the peak resident memory in bytes of the largest process."""
    start = time.perf_counter()
    job = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           **options)
    said = job.stdout.read()
    _, status, usage = os.wait4(job.pid, 0)
    job.returncode = os.waitstatus_to_exitcode(status)
    if job.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{said}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def run_dd(folder, count):
    file = folder / "dd"
    seconds, _ = timed(["dd", "if=/dev/zero", f"of={file}", "bs=4M", f"count={count}", "iflag=count_bytes",
                        "conv=fdatasync"])
    file.unlink()
    return seconds


def run_import(args, folder):
    config = {"run_dir": str(folder / "run"), "model": str(folder / "model"), "shards": args.shards, "index": {"factory": "IVF4096,PQ64"},
              "import": {"keys": [str(folder / "keys")], "values": [str(folder / "values")]}}
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    if args.cold:
        drop_from_cache(folder / "keys")
    seconds, memory = timed(["mpirun", "-np", str(args.ranks), str(args.program), "import", "--config",
                             str(folder / "config.yaml")])
    shutil.rmtree(folder / "run")
    return seconds, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--program", type=Path, default=ROOT / "build/bin/knnseq")
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    try:
        make_random_model(args.folder / "model", width=args.width, layers=1, vocab=VOCABULARY)
        write_store(args.folder, args.entries, args.width)
        count, ratios = args.entries * args.width * 2, []
        for number in range(args.rounds):
            dd = run_dd(args.folder, count)
            own, memory = run_import(args, args.folder)
            ratios.append(dd / own)
            print(f"round {number + 1}: dd {count / dd / 1e9:.2f} GB/s in {dd:.1f} s, import {count / own / 1e9:.2f} GB/s "
                  f"in {own:.1f} s ({dd / own:.2f} of dd), at most {memory / 2 ** 20:.0f} MiB a rank", flush=True)
        print(f"median: {statistics.median(ratios):.2f} of dd")
    finally:
        shutil.rmtree(args.folder)


if __name__ == "__main__":
    main()
