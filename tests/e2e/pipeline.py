"""What the end-to-end tests share: a small corpus of real text, and runs of the program."""
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("KNNSEQ_PROGRAM", str(ROOT / "build" / "bin" / "knnseq"))
MODEL = ROOT / "models" / "demo-de-en"
FULL = os.environ.get("KNNSEQ_FULL") == "1"  # scripts/test.sh --full


def some(cases, every=2):
    """One in so many of cases that are alike; all of them in a full test."""
    return cases if FULL else cases[::every]


CONFIG = """
run_dir: {folder}/run
model: {model}
corpus: {{source: {folder}/corpus.de, target: {folder}/corpus.en, max_tokens: 1500}}
datastore: {{sample: 6000}}
index: {{factory: "OPQ16_64,IVF32,PQ16", opq_iterations: 4, opq_first_pq_iterations: 8}}
knn: {{temperature: 20, lambda: 0.6, nprobe: 4}}
decode:
  - {{name: base, source: {folder}/test.de, reference: {folder}/test.en, knn: false, block_sentences: 6}}
  - {{name: knn, source: {folder}/test.de, reference: {folder}/test.en, block_sentences: 6}}
evaluate: {{language: en}}
inspect: {{base: base, knn: knn}}
"""


class PipelineTest(unittest.TestCase):
    """Each test has a folder of its own with 700 training and 30 test pairs and a config."""
    maxDiff = None

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="knnseq-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        pairs = [line.split("\t") for line in
                 (MODEL / "test.tsv").read_text(encoding="utf-8").splitlines()]
        self.write_side("corpus.de", [pair[0] for pair in pairs[:700]])
        self.write_side("corpus.en", [pair[1] for pair in pairs[:700]])
        # Half of the test set stands in the corpus, so that neighbours matter.
        self.write_side("test.de", [pair[0] for pair in pairs[685:715]])
        self.write_side("test.en", [pair[1] for pair in pairs[685:715]])
        self.config = self.folder / "config.yaml"
        self.config.write_text(CONFIG.format(folder=self.folder, model=MODEL), encoding="utf-8")

    def write_side(self, name, lines):
        (self.folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")

    def command(self, ranks, stage, *options):
        return ["mpirun", "-np", str(ranks), PROGRAM, *stage.split(), "--config", str(self.config),
                *options]

    def run_stage(self, stage, *options, ranks=2, code=0):
        """Runs a stage to its end, which must have this exit code; returns what it printed."""
        command = self.command(ranks, stage, *options)
        if ranks == 1 and code != 0:
            command = command[command.index(PROGRAM):]  # mpirun takes two seconds to pass on a failure
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def start_and_signal(self, stage, *options, ranks=2, number=signal.SIGKILL, when):
        """Starts a stage and, as soon as when() holds, sends the signal to all of its ranks (SIGKILL)
        or to mpirun, which forwards it. Returns mpirun's exit code."""
        job = subprocess.Popen(self.command(ranks, stage, *options), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.time() + 60
        while not when() and job.poll() is None:
            self.assertLess(time.time(), deadline, "the moment to send the signal never came")
            time.sleep(0.002)
        if number == signal.SIGKILL:
            ranks_of_job = subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True)
            for pid in ranks_of_job.stdout.split():
                os.kill(int(pid), number)
        else:
            job.send_signal(number)
        return job.wait(timeout=60)

    def digests(self, *patterns, run="run"):
        """{name: checksum} of all files of the run directory that match."""
        files = sorted(p for pattern in patterns for p in (self.folder / run).glob(pattern) if p.is_file())
        self.assertTrue(files, f"nothing matches {patterns}")
        return {str(path.relative_to(self.folder / run)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in files}

    def leftovers(self, run="run"):
        """What no finished stage leaves behind. A stage killed when it was done may leave a record that
        is half written: nothing reads it, and the next one replaces it."""
        folder = self.folder / run
        found = [*folder.rglob("*.journal.*"), *folder.rglob("*.tmp")]
        return [path for path in found if path.parent != folder / "records"]

    def digest(self, *patterns, run="run"):
        """Checksum of all files of the run directory that match, names included."""
        return hashlib.sha256(repr(self.digests(*patterns, run=run)).encode()).hexdigest()


class ServingTest(PipelineTest):
    def start(self, *options, ranks=1, listen="127.0.0.1:0"):
        """A server that answers; its port and what it says are kept."""
        command = ["mpirun", "-np", str(ranks)] if ranks > 1 else []
        job = subprocess.Popen([*command, PROGRAM, "serve", "--run", str(self.folder / "run"),
                                "--listen", listen, *options],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (job.kill(), job.communicate()) if job.poll() is None else None)
        job.said = ""
        while "listening on" not in job.said:
            line = job.stderr.readline()
            self.assertTrue(line, job.said)
            job.said += line
        job.port = int(re.search(r"listening on http://\S+:(\d+)", job.said).group(1))
        return job

    def end(self, job, number=signal.SIGTERM):
        job.send_signal(number)
        job.said += job.communicate(timeout=60)[1]
        self.assertEqual(job.returncode, 0, job.said)
        self.assertIn("all requests are answered", job.said)


class AppendingTest(PipelineTest):
    """Two shards, and a corpus of 100 pairs that is appended."""

    def setUp(self):
        super().setUp()
        pairs = [line.split("\t") for line in
                 (MODEL / "test.tsv").read_text(encoding="utf-8").splitlines()[700:800]]
        for side, language in enumerate(("de", "en")):
            self.write_side(f"news.{language}", [pair[side] for pair in pairs])
        with self.config.open("a", encoding="utf-8") as config:
            config.write(f"shards: 2\nappend: [{{name: news, source: {self.folder}/news.de, "
                         f"target: {self.folder}/news.en}}]\n")
        self.run_dir = self.folder / "run"
