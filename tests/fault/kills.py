"""Kill anything, any time: every stage, interrupted at random moments and resumed with other numbers of
ranks, must make the same bytes as a run that nobody disturbed.

    kills.py [--kills N] [--seed N] [--repeat N] [--shards N] [--stages NAME …]

A trial copies what the stages before its stage have made, starts the stage, and at a random moment
kills one rank, all ranks or mpirun (SIGKILL) or asks it to stop (SIGUSR1); sometimes the resumption is
interrupted too. Then the stage runs to its end. Signals that come after the end count for nothing.

Needs NumPy, h5py and faiss.
"""
import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import faiss
import h5py
import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "e2e"), str(Path(__file__).resolve().parents[2] / "scripts")]
import knnseq  # noqa: E402
import pipeline  # noqa: E402

STAGES = {"partition": "corpus", "encode": "datastore", "train": "codebook", "add": "index",
          "prune": "pruned", "subset": "subset", "append": "append", "decode": "decode",
          "evaluate": "evaluate", "export": "export", "tune": "tune"}  # sweep's result are times, which differ
# Stages that change or take what others have made: what they need in `run`, and folders that are compared as a whole.
MADE = ("corpus", "datastore", "codebook", "index", "append")
CHANGING = {"remove": (("partition", "encode", "train", "add", "prune", "append", "export"),
                       (*MADE, "pruned", "export", "remove")),
            "continue": (("partition", "encode", "train", "add", "append"), (*MADE, "retrain")),
            "merge": ((), (*MADE, "merge")),
            "import": ((), ("corpus", "datastore", "codebook", "index"))}  # from another program's files
PRUNED = "sample: 6000, prune: {{probability: 0.8, distance: 1, neighbours: 1}}"
CONFIG = pipeline.CONFIG.replace("sample: 6000", PRUNED) + """
append: [{{name: news, source: {folder}/news.de, target: {folder}/news.en}}]
subset: {{sentences: 40, index: "IVF8,Flat", nprobe: 4, sample: 500, codes: "OPQ16_64,PQ16"}}
tune: {{source: {folder}/test.de, reference: {folder}/test.en, k: [2, 8], lambda: [0.3, 0.6],
  temperature: [10, 20], nprobe: [1, 4], candidates: 2}}
"""
IMPORTING = """
run_dir: {folder}/run
model: {model}
import: {{keys: {folder}/keys.npy, values: {folder}/values.bin, index: {folder}/keys.faiss,
  sentences: {folder}/features.npy}}
datastore: {{sample: 6000}}
index: {{factory: "OPQ16_64,IVF32,PQ16"}}
"""
COMMANDS = {"continue": "train"}  # of stages that are an option of another one
OPTIONS = {"continue": ["--continue"],
           "subset": ["--set", "append=[]"],  # they are appended later
           "remove": ["--lines", "{folder}/removed.tsv"],
           "merge": ["{folder}/whole", "{folder}/other", "--into", "{folder}/run"]}
KINDS = ("one rank", "one rank", "all ranks", "mpirun", "stop", "stop")
END_SECONDS = 60  # a job that is killed must be gone by then
RUN_SECONDS = 300


class Failure(Exception):
    """A property that does not hold; the message says which."""


def ranks_at(run_dir):
    """Processes of the program that work in this run directory, whoever started them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == pipeline.PROGRAM.encode() and f"run_dir={run_dir}".encode() in words:
            found.append(int(path.parent.name))
    return found


def tree(folder):
    """{name: bytes} of all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


class Harness:
    def __init__(self, folder, random_numbers, repeat, shards):
        self.folder = folder
        self.random = random_numbers
        self.options = ["--set", f"shards={shards}"]
        self.seconds = {}
        self.counts = collections.Counter()
        self.differences = []
        self.write_inputs(repeat)

    def write_inputs(self, repeat):
        pairs = [line.split("\t") for line in
                 (pipeline.MODEL / "test.tsv").read_text(encoding="utf-8").splitlines()]
        for name, part in (("corpus", pairs[:700] * repeat), ("news", pairs[700:850] * repeat),
                           ("test", pairs[650:710])):
            for side, language in enumerate(("de", "en")):
                text = "".join(pair[side] + "\n" for pair in part)
                (self.folder / f"{name}.{language}").write_text(text, encoding="utf-8")
        removed = [("main", line) for line in range(1, 700, 9)] + [("news", line) for line in range(2, 150, 7)]
        (self.folder / "removed.tsv").write_text("".join(f"{name}\t{line}\n" for name, line in removed))
        self.config = self.folder / "config.yaml"
        text = CONFIG.format(folder=self.folder, model=pipeline.MODEL)
        self.config.write_text(text, encoding="utf-8")

    def write_foreign_store(self):
        """Keys, values, an index and sentence features of `whole`, as other programs would have them."""
        store = knnseq.Run(self.folder / "whole", append=[], pruned=False).datastore
        keys = store.keys(np.arange(len(store)))
        np.save(self.folder / "keys.npy", keys.astype(np.float16))
        values = store.values()
        ends = np.flatnonzero(values == values[-1]) + 1  # of sentences
        order = np.random.default_rng(1).permutation(len(ends))
        np.save(self.folder / "features.npy", keys[ends - 1])
        with h5py.File(self.folder / "values.bin", "w") as file:
            file["tokens"], file["lengths"], file["sort_order"] = values, np.diff(ends, prepend=0), order
        index = faiss.read_index(str(self.folder / "whole/codebook/codebook.faiss"))
        index.add(keys)
        faiss.write_index(index, str(self.folder / "keys.faiss"))
        text = IMPORTING.format(folder=self.folder, model=pipeline.MODEL)
        (self.folder / "importing.yaml").write_text(text, encoding="utf-8")

    def start(self, stage, ranks, *options):
        config = {"merge": [], "import": ["--config", str(self.folder / "importing.yaml")]}.get(
            stage, ["--config", str(self.config)])
        command = ["mpirun", "-np", str(ranks), pipeline.PROGRAM, COMMANDS.get(stage, stage), *config,
                   "--set", f"run_dir={self.folder / 'run'}", *self.options, *options,
                   *(option.format(folder=self.folder) for option in OPTIONS.get(stage, ()))]
        self.log = open(self.folder / "output.txt", "wb")
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                start_new_session=True)

    def output(self):
        self.log.close()
        return (self.folder / "output.txt").read_text(encoding="utf-8", errors="replace")

    def finish(self, job, what):
        """Waits for a job that nobody disturbs any more; it must succeed."""
        try:
            code = job.wait(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGKILL)
            raise Failure(f"{what} hangs:\n{self.output()}") from None
        if code != 0:
            raise Failure(f"{what} ends with {code}:\n{self.output()}")
        return self.output()

    def make_reference(self):
        """Makes `whole`. It is made as `run`, because what tune recommends names files by their paths."""
        for stage in STAGES:
            began = time.time()
            self.finish(self.start(stage, 2), stage)
            self.seconds[stage] = time.time() - began
        (self.folder / "run").rename(self.folder / "whole")
        for stage in ("partition", "encode", "train", "add"):
            self.finish(self.start(stage, 2, "--set", "append=[]", "--set", f"corpus.source={self.folder}/news.de",
                                   "--set", f"corpus.target={self.folder}/news.en", "--set", "corpus.max_tokens=999"), stage)
        (self.folder / "run").rename(self.folder / "other")
        self.write_foreign_store()
        for stage in CHANGING:
            self.copy_before(stage)
            began = time.time()
            self.finish(self.start(stage, 2), stage)
            self.seconds[stage] = time.time() - began
            (self.folder / "run").rename(self.folder / stage)
        print("undisturbed: " + ", ".join(f"{s} {t:.1f} s" for s, t in self.seconds.items()), flush=True)

    def copy_before(self, stage):
        """Makes `run` of what the stages before this one have made."""
        run = self.folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir()
        stages = list(STAGES)
        for before in CHANGING[stage][0] if stage in CHANGING else stages[:stages.index(stage)]:
            shutil.copytree(self.folder / "whole" / STAGES[before], run / STAGES[before])

    def disturb(self, job, kind):
        ranks = ranks_at(self.folder / "run")
        if kind == "stop":
            job.send_signal(signal.SIGUSR1)
        elif kind == "mpirun" or not ranks:
            job.kill()
        else:
            for pid in ranks if kind == "all ranks" else [self.random.choice(ranks)]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def interrupt(self, stage, kind, ranks):
        """Starts the stage and disturbs it. Returns whether the signal came before its end."""
        moment = self.random.uniform(0, 1.1 * self.seconds[stage])
        job = self.start(stage, ranks)
        try:
            job.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            pass
        else:
            self.finish(job, f"{stage} with {ranks} ranks")
            return False
        self.disturb(job, kind)
        what = f"{stage} with {ranks} ranks, {kind} after {moment:.2f} s"
        deadline = time.time() + END_SECONDS
        while job.poll() is None or ranks_at(self.folder / "run"):
            if time.time() > deadline:
                os.killpg(job.pid, signal.SIGKILL)
                raise Failure(f"{what}: hangs:\n{self.output()}")
            time.sleep(0.02)
        text = self.output()
        # Ranks that have not come to main() yet die of SIGUSR1.
        if kind == "stop" and job.returncode not in (0, 75, 128 + signal.SIGUSR1, -signal.SIGUSR1):
            raise Failure(f"{what}: exit code {job.returncode}:\n{text}")
        self.counts["stopped with 75"] += job.returncode == 75
        return job.returncode != 0

    def trial(self, stage):
        """Returns how many signals hit."""
        run = self.folder / "run"
        self.copy_before(stage)
        if stage == "evaluate":  # which tells how fast the decodings were
            shutil.copytree(self.folder / "whole" / "records", run / "records")
        ranks = self.random.choice((1, 2, 2, 3))
        hits = 0
        for _ in range(self.random.choice((1, 1, 2, 3))):
            kind = self.random.choice(KINDS)
            if not self.interrupt(stage, kind, ranks):
                break
            hits += 1
            self.counts[kind] += 1
            if self.random.random() < 0.5:
                ranks = self.random.choice((1, 2, 3, 4))
        text = self.finish(self.start(stage, ranks), f"{stage} resumed with {ranks} ranks")
        self.counts["resumed"] += "going on where" in text
        self.counts["locks taken over"] += "taking over the lock" in text
        self.compare(stage)
        self.counts[stage] += hits
        return hits

    def compare(self, stage):
        stages = list(STAGES)
        if stage in CHANGING:
            folders = CHANGING[stage][1]
        else:
            folders = [STAGES[name] for name in stages[:stages.index(stage) + 1]]
        for folder in folders:
            whole = tree(self.folder / (stage if stage in CHANGING else "whole") / folder)
            mine = tree(self.folder / "run" / folder)
            for file in sorted(whole.keys() | mine.keys()):
                if whole.get(file) != mine.get(file):
                    self.differences.append(f"{stage}: {folder}/{file}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--repeat", type=int, default=3, help="times the corpus of 700 pairs")
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--stages", nargs="+", choices=[*STAGES, *CHANGING], help="that are killed (default: all)")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="knnseq-kills-"))
    harness = Harness(folder, random.Random(arguments.seed), arguments.repeat, arguments.shards)
    began = time.time()
    kills = trials = 0
    all_stages = [*STAGES, *CHANGING]
    tried = arguments.stages or all_stages
    try:
        harness.make_reference()
        order = []
        while kills < arguments.kills:
            if not order:
                order = harness.random.sample(tried, len(tried))
            kills += harness.trial(order.pop())
            trials += 1
            if harness.differences:
                raise Failure("other bytes than undisturbed: " + ", ".join(harness.differences))
            if not order:
                print(f"{kills} of {arguments.kills} kills", flush=True)
    except Failure as failure:
        print(f"FAILED (seed {arguments.seed}, files in {folder}): {failure}")
        return 1
    finally:
        counts = ", ".join(f"{name} {harness.counts[name]}" for name in
                           (*all_stages, *dict.fromkeys(KINDS), "stopped with 75", "resumed",
                            "locks taken over"))
        print(f"{kills} kills in {trials} trials, {time.time() - began:.0f} s; {counts}; "
              f"{len(harness.differences)} differences", flush=True)
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
