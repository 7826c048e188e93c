"""The batch scripts against a real Slurm: chains of jobs that are pre-empted, queued again and end with the
bytes of an undisturbed run; chains that end when a stage fails or is cancelled."""
import gzip
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "e2e")]
import private_namespaces  # noqa: E402

for tool in ("sbatch", "slurmctld", "slurmd", "munged"):
    if shutil.which(tool) is None:
        private_namespaces.skip(f"{tool} is not installed")
private_namespaces.enter()

import pipeline  # noqa: E402
from one_node_slurm import OneNodeSlurm, run, wait_until  # noqa: E402

SUBMIT = pipeline.ROOT / "slurm" / "submit.sh"
CLUSTER = """
program={program}
launcher={launcher}
launcher_options=({options})
sbatch_common=(--ntasks=2 --time=10 --output={folder}/%x-%j.out)
sbatch_evaluate=(--ntasks=1)
"""
# Several shards, so that there are several commits.
MORE = """
shards: 8
append: [{{name: more, source: {folder}/more.de, target: {folder}/more.en}}]
"""
STAGES = ["partition", "encode", "train", "add", "append", "decode", "evaluate"]
EVERYTHING = ("corpus/*", "datastore/*", "codebook/*", "index/*", "append/*/*/*", "decode/*/*",
              "export/*")
FINAL = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"}


class Chain:
    """One run directory's jobs."""

    def __init__(self, folder, config, launcher, options=""):
        self.folder = folder
        self.run_dir = folder / "run"
        folder.mkdir()
        self.config = folder / "config.yaml"
        self.config.write_text(re.sub("(?m)^run_dir: .*", f"run_dir: {self.run_dir}", config))
        self.cluster = folder / "cluster.sh"
        self.cluster.write_text(CLUSTER.format(program=pipeline.PROGRAM, launcher=launcher, options=options,
                                               folder=folder))
        self.jobs = {}

    def submit(self, *options):
        printed = run(str(SUBMIT), str(self.config), "--cluster", str(self.cluster), *options)
        for line in printed.splitlines():
            stage, job = line.split()
            self.jobs[stage] = job
        return list(self.jobs)

    def states(self):
        """{"12": "RUNNING", "13_0": "PENDING", …} of all jobs that the controller remembers."""
        lines = run("squeue", "--noheader", "--array", "--states=all", "--format=%F %K %T").splitlines()
        states = {}
        for line in lines:
            job, task, state = line.split()
            if job in self.jobs.values():
                states[job if task == "N/A" else f"{job}_{task}"] = state
        return states

    def ended(self):
        states = self.states()
        return bool(states) and set(states.values()) <= FINAL

    def detail(self, job, key):
        return re.search(rf"\b{key}=(\S+)", run("scontrol", "show", "job", job)).group(1)

    def resumed_stages(self):
        events = map(json.loads, (self.run_dir / "log.jsonl").read_text(encoding="utf-8").splitlines())
        return {event["stage"] for event in events if event["event"] == "stage_begin" and event["resumed"]}

    def output(self):
        return "\n".join(f"{path.name}:\n{path.read_text(errors='replace')}"
                         for path in sorted(self.folder.glob("*.out")))

    def explain(self):
        return f"{self.states()}\n{self.output()}"

    def freeze(self, pattern):
        """Stops the ranks as soon as one has written to a file of that pattern, so that what comes next comes
        in the middle of the stage, however slow the machine is. Returns the ranks."""
        written = lambda: any(path.stat().st_size > 0 for path in self.run_dir.glob(pattern))
        wait_until(written, 90, self.explain)
        ranks = []
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = process.read_bytes().split(b"\0")
            except OSError:
                continue  # it has just ended
            if words[0] == pipeline.PROGRAM.encode() and str(self.config).encode() in words:
                ranks.append(int(process.parent.name))
        for rank in ranks:
            os.kill(rank, signal.SIGSTOP)
        return ranks


class Slurm(pipeline.PipelineTest):
    def setUp(self):
        super().setUp()
        for name in ("corpus.de", "corpus.en"):
            text = (self.folder / name).read_text(encoding="utf-8")
            (self.folder / name).write_text(text * 2, encoding="utf-8")
            self.write_side(name.replace("corpus", "more"), text.splitlines()[:100])
        self.config.write_text(self.config.read_text() + MORE.format(folder=self.folder))
        self.folder.chmod(0o711)  # munge wants its socket to be in reach of all
        self.slurm = OneNodeSlurm(self.folder / "slurm", cpus=6)
        self.addCleanup(self.slurm.stop)
        self.slurm.start()

    def chain(self, name, *launcher):
        return Chain(self.folder / name, self.config.read_text(), *launcher)

    def stop_by_warning(self, chain, pattern, job):
        """What Slurm does before a job's time limit: SIGUSR1 to its batch script."""
        ranks = chain.freeze(pattern)
        self.assertEqual(len(ranks), 2, chain.explain())
        run("scancel", "--batch", "--signal=USR1", job)
        wait_until(lambda: "told to stop" in chain.output(), 30, chain.explain)
        for rank in ranks:
            os.kill(rank, signal.SIGCONT)

    def pass_pre_empted_by_mpirun(self):
        chain = self.chain("by-mpirun", "mpirun", "--bind-to none")
        self.assertEqual(chain.submit(), STAGES)
        encode = chain.jobs["encode"]
        self.stop_by_warning(chain, "datastore/shard-*.json", encode)
        self.check_result(chain, {encode: "1", chain.jobs["train"]: "0"}, {"encode"})

    def pass_pre_empted_by_srun(self):
        chain = self.chain("by-srun", "srun", "--mpi=pmix")
        self.assertEqual(chain.submit(), STAGES)
        # As another job's pre-emption does: Slurm ends the ranks (with SIGCONT and SIGTERM, then SIGKILL) and
        # queues the job again itself.
        train, decode = chain.jobs["train"], chain.jobs["decode"]
        chain.freeze("codebook/checkpoint")
        run("scontrol", "requeue", train)
        self.stop_by_warning(chain, "decode/knn/*.journal.*", f"{decode}_1")
        self.check_result(chain, {train: "1", f"{decode}_0": "0", f"{decode}_1": "1"}, {"train", "decode-knn"})

    def check_result(self, chain, restarts, resumed):
        """All jobs have ended well, after so many restarts, in which those stages resumed where they were, and
        have left what an undisturbed run leaves."""
        wait_until(chain.ended, 150, chain.explain)
        chain.submit("--stages", "export")
        wait_until(chain.ended, 60, chain.explain)
        self.assertEqual(set(chain.states().values()), {"COMPLETED"}, chain.explain())
        self.assertEqual({job: chain.detail(job, "Restarts") for job in restarts}, restarts, chain.output())
        self.assertEqual(chain.resumed_stages(), resumed)
        self.assertEqual(self.digests(*EVERYTHING, run=chain.run_dir), self.whole)

    def end_cancelled(self):
        chain = self.chain("cancelled", "mpirun")
        chain.submit("--stages", "partition,encode,train")
        chain.freeze("datastore/shard-*.json")
        run("scancel", chain.jobs["encode"])
        wait_until(chain.ended, 60, chain.explain)
        self.assertEqual([chain.states()[chain.jobs[stage]] for stage in ("partition", "encode", "train")],
                         ["COMPLETED", "CANCELLED", "CANCELLED"], chain.explain())

    def end_failing(self):
        chain = self.chain("failing", "srun", "--mpi=pmix")
        chain.config.write_text(chain.config.read_text().replace("corpus.en", "test.en"))
        with self.assertRaisesRegex(AssertionError, "have different numbers of lines"):
            chain.submit("--stages", "partition,encode")
        # Inputs that another job makes are not looked at before.
        first = run("sbatch", "--parsable", "--output=/dev/null", "--wrap=true").strip()
        chain.submit("--stages", "partition,encode", "--after", first)
        wait_until(chain.ended, 60, chain.explain)
        self.assertEqual([chain.states()[chain.jobs[stage]] for stage in ("partition", "encode")],
                         ["FAILED", "CANCELLED"], chain.explain())
        self.assertEqual(chain.detail(chain.jobs["partition"], "ExitCode"), "2:0")
        self.assertIn("have different numbers of lines", chain.output())

    def test_chains(self):
        self.run_stage("run")
        self.run_stage("export")
        self.whole = self.digests(*EVERYTHING)
        chains = (self.pass_pre_empted_by_mpirun, self.pass_pre_empted_by_srun, self.end_cancelled,
                  self.end_failing)
        # At once, since a job that is queued again waits ten seconds.
        with ThreadPoolExecutor() as pool:
            for chain, result in [(chain, pool.submit(chain)) for chain in chains]:
                with self.subTest(chain.__name__):
                    result.result()

    def test_a_launch_that_ran_nothing_is_tried_again(self):
        """srun may return 0 even if a node has refused to start the ranks."""
        cluster = self.folder / "cluster.sh"
        cluster.write_text(f"program={pipeline.PROGRAM}\nlauncher=srun\n")
        fake = self.folder / "bin" / "srun"
        fake.parent.mkdir()
        fake.write_text("#!/bin/sh\nif mkdir \"$0.called\" 2> /dev/null; then exit 0; fi\nshift\nexec \"$@\"\n")
        fake.chmod(0o755)
        job = os.environ | {"PATH": f"{fake.parent}:{os.environ['PATH']}", "KNNSEQ_TOP": str(pipeline.ROOT),
                            "KNNSEQ_CLUSTER": str(cluster), "SLURM_JOB_NAME": "knnseq-partition",
                            "SLURM_JOB_ID": "1"}
        done = subprocess.run(["bash", str(pipeline.ROOT / "slurm" / "stage.sbatch"), "partition", "--config",
                               str(self.config)], env=job, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stderr.count("without having run the stage; starting it again"), 1, done.stderr)
        self.assertTrue((self.folder / "run" / "corpus" / "manifest.json").exists(), done.stdout)

    def test_scaling_takes_what_the_config_takes(self):
        """Several files a side, gzip and xz, a last line that is not ended; on CPUs, without a Slurm."""
        for side, packer in (("de", gzip), ("en", lzma)):
            lines = (self.folder / f"corpus.{side}").read_text(encoding="utf-8").splitlines()
            (self.folder / f"first.{side}").write_text("\n".join(lines[:500]), encoding="utf-8")
            with packer.open(self.folder / f"rest {side}.packed", "wt", encoding="utf-8") as rest:
                rest.write("\n".join(lines[500:901]) + "\n")
            files = f'["{self.folder}/first.{side}", "{self.folder}/rest {side}.packed"]'
            self.config.write_text(self.config.read_text().replace(f"{self.folder}/corpus.{side}", files))
        cluster = self.folder / "cluster.sh"
        cluster.write_text(f"program={pipeline.PROGRAM}\nlauncher=srun\n")
        fake = self.folder / "bin" / "srun"
        fake.parent.mkdir()
        fake.write_text("#!/bin/sh\nranks=${1#--ntasks=}\nshift\nexec mpirun -np $ranks \"$@\"\n")
        fake.chmod(0o755)
        out = self.folder / "scaling"
        job = os.environ | {"PATH": f"{fake.parent}:{os.environ['PATH']}", "KNNSEQ_TOP": str(pipeline.ROOT),
                            "KNNSEQ_CLUSTER": str(cluster), "SLURM_NTASKS": "2"}
        done = subprocess.run(["bash", str(pipeline.ROOT / "slurm" / "scaling.sh"), str(self.config), str(out)],
                              env=job, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        rows = [line.split(",") for line in (out / "scaling.csv").read_text().splitlines()]
        self.assertEqual(rows[0], ["kind", "ranks", "stage", "seconds", "items", "items_per_second"])
        self.assertEqual({(kind, ranks) for kind, ranks, stage, *_ in rows[1:] if stage == "encode"},
                         {("strong", "1"), ("strong", "2"), ("weak", "1"), ("weak", "2")})
        whole = [json.loads((out / run / "corpus" / "manifest.json").read_text())["content"]["sentences"]
                 for run in ("strong-1", "strong-2", "weak-2")]
        self.assertEqual(len(set(whole)), 1, whole)
        for side, name in (("source", "de"), ("target", "en")):
            lines = (self.folder / f"corpus.{name}").read_text(encoding="utf-8").splitlines()
            self.assertEqual((out / f"{side}-1").read_text(encoding="utf-8").splitlines(), lines[:450])
            self.assertEqual((out / f"{side}-2").read_text(encoding="utf-8").splitlines(), lines[:901])

    def test_mistakes_are_found_before_anything_is_queued(self):
        chain = self.chain("mistaken", "srun")

        def refused(*options):
            done = subprocess.run([str(SUBMIT), str(chain.config), "--cluster", str(chain.cluster), *options],
                                  capture_output=True, text=True, timeout=60)
            self.assertNotEqual(done.returncode, 0)
            return done.stderr

        self.assertIn("knn.kk", refused("--set", "knn.kk=3"))
        self.assertIn("--force is not for jobs", refused("--force"))
        self.assertIn("'enocde' is not a stage", refused("--stages", "encode,enocde"))
        self.assertEqual(run("squeue", "--noheader", "--states=all"), "")
        # What Slurm itself refuses leaves no half of a chain.
        chain.cluster.write_text(chain.cluster.read_text() + "sbatch_encode=(--partition=none)\n")
        self.assertIn("invalid partition", refused())
        states = lambda: run("squeue", "--noheader", "--states=all", "--format=%T").split()
        wait_until(lambda: states() == ["CANCELLED"], 30, lambda: str(states()))


if __name__ == "__main__":
    unittest.main()
