#!/usr/bin/env python3
"""Parts of scripts/gpu_check.py over stand-in programs: success, failure, a program that hangs, output that
says nothing, bars that are missed, an interruption. Table and JSON are there each time."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
import check_steps  # noqa: E402
import gpu_check  # noqa: E402
from check_steps import Bar, Check, Found, Step  # noqa: E402

# Does what is written under its name in $STAND_IN, else succeeds: of a program of the bundle the arguments
# that follow with-libraries.
STAND_IN = """#!/bin/sh
name=$(basename "$0")
[ "$name" = with-libraries ] && name=$(basename "$1")
[ "$name" = mpirun ] && shift 3
if [ -f "$STAND_IN/$name" ]; then . "$STAND_IN/$name"; else echo "All tests passed (stand-in)"; fi
"""


class Runner(unittest.TestCase):
    """Single steps, in this process."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="gpu-check-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def run_steps(self, *steps, seconds=60, **options):
        check = Check("a part", self.folder, seconds, **options)
        passed = check.run(list(steps))
        written = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
        self.assertTrue(written["finished"])
        return passed, written, (self.folder / "table.md").read_text(encoding="utf-8")

    def script(self, text, name="step", limit=20, **more):
        return Step(name, limit, ["sh", "-c", text], **more)

    def test_figures_beside_their_bars(self):
        bars = {"speed": Bar("least", 10), "error": Bar("most", 0.1, must=True)}
        passed, written, table = self.run_steps(
            self.script("echo 'figure speed = 7.5 keys/s'; echo 'figure error, bf16 = 0.05'; "
                        "echo where it went"),
            bars=bars)
        self.assertTrue(passed)  # a missed bar of speed is said, and is no failure
        self.assertEqual(written["missed_bars"], 1)
        self.assertIn("| speed | 7.5 keys/s | at least 10 | MISSED |", table)
        self.assertIn("| error, bf16 | 0.05  | at most 0.1 | reached |", table)
        self.assertIn("- step: it went", table)

    def test_a_limit_that_must_hold(self):
        passed, written, table = self.run_steps(self.script("echo 'figure error = 0.5'"),
                                                bars={"error": Bar("most", 0.1, must=True)})
        self.assertFalse(passed)
        self.assertIn("error is 0.5, must be at most 0.1", table)
        self.assertEqual(written["failed"], 1)

    def test_goes_on_after_failures_and_says_why(self):
        passed, written, table = self.run_steps(
            self.script("echo working; echo 'tool: error: no GPU'; echo bye; exit 3", "first"),
            Step("second", 5, ["/nowhere/program"]),
            self.script("true", "third", needs=("first",)),
            self.script("exit 77", "fourth"),
            self.script("true", "last"))
        self.assertFalse(passed)
        self.assertEqual([row["status"] for row in written["steps"]],
                         ["failed", "failed", "not run", "failed", "passed"])
        self.assertEqual(written["steps"][0]["exit_code"], 3)
        self.assertIn("tool: error: no GPU", table)
        self.assertIn("it cannot be started", table)
        self.assertIn("needs 'first', which did not pass", table)
        self.assertIn("it said nothing, exit code 77", table)

    def test_a_step_that_hangs_is_ended_with_all_it_started(self):
        with mock.patch.object(check_steps, "GRACE", 0.5):
            began = time.monotonic()
            passed, written, _ = self.run_steps(
                # It does not listen, and has a child in a session of its own, as mpirun's ranks are.
                self.script(f"trap '' TERM; setsid sh -c 'echo $$ > {self.folder}/child; exec sleep 60' & "
                            "echo begun; while :; do sleep 1; done", limit=2),
                self.script("true", "next"))
        self.assertFalse(passed)
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual([row["status"] for row in written["steps"]], ["late", "passed"])
        self.assertIn("ended after 2 s; the last it said: begun", written["steps"][0]["reason"])
        child = int((self.folder / "child").read_text())
        for _ in range(50):
            if not is_running(child):
                break
            time.sleep(0.1)
        self.assertFalse(is_running(child))

    def test_a_part_whose_time_is_over(self):
        passed, written, _ = self.run_steps(self.script("true"), seconds=1)
        self.assertFalse(passed)
        self.assertEqual(written["steps"][0]["status"], "not run")

    def test_output_that_cannot_be_used(self):
        def broken(_text):
            raise ValueError("it says nothing of a rate")

        passed, written, _ = self.run_steps(
            self.script("echo hello", "a", read=broken),
            self.script("echo 'figure speed = fast'", "b"),
            self.script("echo 'figure speed = nan'", "c"),
            self.script("head -c 1000 /dev/urandom", "d", expects=("speed",)),
            Step("e", 5, None, lambda _: Found(figures=[None])))
        self.assertFalse(passed)
        self.assertEqual([row["status"] for row in written["steps"]], ["failed"] * 5)
        self.assertIn("it says nothing of a rate", written["steps"][0]["reason"])
        self.assertIn("speed is nan", written["steps"][2]["reason"])
        self.assertIn("no figure 'speed'", written["steps"][3]["reason"])


class Parts(unittest.TestCase):
    """Whole parts, as a program, in a bundle of stand-ins."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="gpu-check-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        for name in "scripts", "bin", "answers", "data/libreoffice":
            (self.folder / name).mkdir(parents=True)
        for name in "gpu_check.py", "check_steps.py":
            shutil.copy(SCRIPTS / name, self.folder / "scripts")
        for name in "knnseq", "mpirun", "with-libraries":
            program = self.folder / "bin" / name
            program.write_text(STAND_IN, encoding="utf-8")
            program.chmod(0o755)
        for part in "datastore", "test":
            for side in "de", "en":
                (self.folder / f"data/libreoffice/{part}.{side}").write_text("a\nb\n", encoding="utf-8")

    def answer(self, program, text):
        (self.folder / "answers" / program).write_text(text, encoding="utf-8")

    def command(self, part, *options):
        return [sys.executable, str(self.folder / "scripts/gpu_check.py"), "--part", str(part),
                "--out", str(self.folder / "out"), *options]

    def environment(self):
        return {**os.environ, "STAND_IN": str(self.folder / "answers"), "PATH": "/usr/bin:/bin"}

    def run_part(self, part, *options):
        done = subprocess.run(self.command(part, *options), capture_output=True, text=True, timeout=60,
                              env=self.environment())
        return done, *self.written(part)

    def written(self, part):
        out = self.folder / f"out/part-{part}"
        return (json.loads((out / "result.json").read_text(encoding="utf-8")),
                (out / "table.md").read_text(encoding="utf-8"))

    def test_list(self):
        done = subprocess.run([sys.executable, str(SCRIPTS / "gpu_check.py"), "--list"], capture_output=True,
                              text=True, timeout=20)
        self.assertEqual(done.returncode, 0)
        self.assertEqual([line[0] for line in done.stdout.splitlines()], ["1", "2", "3", "4", "5"])

    def test_limits_of_the_steps_fit_the_part(self):
        setup = gpu_check.Setup(self.folder, self.folder / "work", "cuda", False, 16)
        setup.work.mkdir()
        for number, (_, steps) in gpu_check.PARTS.items():
            limits = [step.limit for step in steps(setup)]
            room = gpu_check.SECONDS - sum(limits[:-1])  # of the last one; a pipeline goes on the next time
            self.assertGreaterEqual(room, min(limits[-1], 45), number)
        self.assertLess(gpu_check.SECONDS, 180)

    def test_bars_are_missed_and_reached(self):
        self.answer("encode_speed-cuda", "echo 'best 450000 keys/s, 10 MFLOP a key, 1 TFLOP/s: 30.0 % of 3'")
        self.answer("scan_speed", "echo '   160 queries, k 64:   1.0 ms,  2100.0 GB/s,  71 % of the bound'")
        (self.folder / "tests/benchmarks").mkdir(parents=True)
        (self.folder / "tests/benchmarks/make_random_model.py").write_text("", encoding="utf-8")
        done, written, table = self.run_part(3)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(written["missed_bars"], 1)
        self.assertIn("| 450,000 keys/s | at least 600,000 | MISSED |", table)
        self.assertIn("| scan of 10 M codes, share of its bound | 0.71  | at least 0.7 | reached |", table)
        self.assertIn("30.0 % of 3", table.split("Where the time went:")[1])
        self.assertIn(table.strip(), done.stdout)
        done, written, table = self.run_part(3, "--quick")
        self.assertNotIn("MISSED", table)  # small sizes measure nothing

    def test_without_a_gpu_each_step_says_so(self):
        self.answer("test_gpu_training", "echo 'skipped: this machine has no GPU'; exit 77")
        self.answer("scan_speed", "echo 'scan_speed: this machine has no GPU'; exit 1")
        done, written, table = self.run_part(5)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(written["failed"], 2)
        self.assertEqual(table.count("this machine has no GPU"), 2)

    def test_what_needs_a_gpu_is_not_tried_on_the_cpu(self):
        self.answer("scan_speed", "echo ' 32 queries, k 64: 1.0 ms, 9.5 GB/s, 50 % of the bound'")
        done, written, _ = self.run_part(5, "--device", "cpu", "--quick")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual([row["status"] for row in written["steps"]], ["not tried", "passed"])

    def test_nothing_works(self):
        for number in gpu_check.PARTS:
            for name in "knnseq", "mpirun", "with-libraries":
                (self.folder / "bin" / name).write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
            done, written, table = self.run_part(number)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertTrue(written["finished"])
            self.assertNotIn("| passed", table.split("| figure")[0].replace("make a model", ""))

    def test_without_the_corpus_a_part_still_leaves_a_table(self):
        shutil.rmtree(self.folder / "data")
        done, written, table = self.run_part(1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot be prepared", table)
        self.assertIn("datastore.de", written["facts"]["cannot be prepared"])

    def test_interrupted(self):
        self.answer("test_gpu_training", "echo begun; sleep 60")
        running = subprocess.Popen(self.command(5), env=self.environment(), stdout=subprocess.DEVNULL)
        log = self.folder / "out/part-5"
        for _ in range(200):
            if any("begun" in path.read_text() for path in log.glob("test-gpu-training*.log")):
                break
            time.sleep(0.1)
        running.send_signal(signal.SIGTERM)
        self.assertEqual(running.wait(20), 143)
        written, table = self.written(5)
        self.assertFalse(written["finished"])
        self.assertIn("NOT FINISHED", table)
        self.assertIn("interrupted by SIGTERM", table)

    def test_elsewhere_than_in_a_bundle(self):
        shutil.rmtree(self.folder / "bin")
        done = subprocess.run(self.command(1), capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 2)
        self.assertIn("scripts/bundle.sh --tests", done.stderr)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
