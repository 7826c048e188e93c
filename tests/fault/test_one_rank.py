"""One rank fails, and all stop: with one message that names rank, host, stage and cause, without a
manifest, and so that the same command works once the cause is gone."""
import os
import re
import resource
import socket
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import pipeline  # noqa: E402

PAGE = 4096
# Commands in their order, with the name that messages give the stage and the folder of its manifest.
STAGES = (
    ("partition", "partition", "corpus"), ("encode", "encode", "datastore"),
    ("train", "train", "codebook"), ("add", "add", "index"), ("prune", "prune", "pruned/index"),
    ("append", "append-news-[a-z]+", "append/news/measure"),
    ("decode base", "decode-base", "decode/base"), ("decode knn", "decode-knn", "decode/knn"),
    ("evaluate", "evaluate", "evaluate"), ("export", "export", "export"), ("remove news", "remove", "remove"))


def may_mount():
    """Whether this process may have mounts of its own."""
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


class OneRankFails(pipeline.AppendingTest):
    def setUp(self):
        """Ranks that step together wait for each other most."""
        super().setUp()
        config = self.config.read_text(encoding="utf-8")
        config = config.replace("nprobe: 4}", "nprobe: 4, copies: job}")
        config = config.replace("sample: 6000", "sample: 6000, prune: {distance: 1, neighbours: 1}")
        self.config.write_text(config, encoding="utf-8")

    def check_message(self, text, stage, rank=r"\d+"):
        lines = [line for line in text.splitlines() if line.startswith("knnseq")]
        self.assertEqual(len(lines), 1, text)
        self.assertRegex(lines[0], rf"^knnseq {stage}: rank {rank} on {re.escape(socket.gethostname())}: ")
        return lines[0]

    @unittest.skipUnless(os.geteuid() == 0 and may_mount(), "needs the right to mount a tmpfs")
    def test_full_disk_in_every_stage(self):
        disk = self.folder / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", disk])
        (disk / "run").mkdir()
        self.run_dir.symlink_to(disk / "run")
        filler = disk / "filler"

        def fill(pages):
            free = os.statvfs(self.run_dir)
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, max(PAGE, (free.f_bavail - pages) * PAGE))

        for command, stage, folder in STAGES:
            failures = 0
            for pages in (2, 5, 12, 40):
                fill(pages)
                run = lambda: subprocess.run(self.command(2, command), capture_output=True, text=True,
                                             timeout=120, stdin=subprocess.DEVNULL)
                with self.subTest(stage=command, pages=pages):
                    done = run()
                    filler.unlink()
                    text = done.stdout + done.stderr
                    if done.returncode == 0:
                        break  # that was enough for this stage
                    failures += 1
                    # The lock and the log come before the stage has its full name.
                    message = self.check_message(text, f"({stage}|{command.split()[0]})")
                    self.assertRegex(message, "No space left on device|are free")
                    self.assertFalse((self.run_dir / folder / "manifest.json").exists())
            self.assertGreater(failures, 0, f"{command} never met the full disk")
            self.run_stage(command)
        self.run_stage("verify")

    @unittest.skipUnless(os.geteuid() == 0 and may_mount(), "needs the right to mount over folders")
    def test_files_that_one_rank_does_not_see(self):
        """Rank 1 has a mount of its own over a folder that its stage reads."""
        (self.folder / "empty").mkdir()
        cases = (("partition", str(pipeline.MODEL), "config.json"), ("encode", "run/corpus", "shard-00001.h5"),
                 ("train", "run/datastore", "run/datastore"), ("add", "run/datastore", "run/datastore"),
                 ("append", "run/codebook", "codebook"), ("decode base", str(pipeline.MODEL), "config.json"),
                 ("decode knn", "run/pruned/index", "run/pruned/index"),
                 ("export", "run/pruned/index", "index"))
        hidden = {command: (folder, says) for command, folder, says in cases}
        for command, stage, folder in STAGES:
            with self.subTest(stage=command):
                if command in hidden:
                    where, says = hidden[command]
                    done = self.run_half_blind(command, where)
                    text = done.stdout + done.stderr
                    self.assertNotEqual(done.returncode, 0, text)
                    self.assertFalse((self.run_dir / folder / "manifest.json").exists(), command)
                    self.assertIn(says, self.check_message(text, stage, rank="1"))
            self.run_stage(command)

    def run_half_blind(self, command, where):
        one = self.command(1, command)
        blind = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"',
                 str(self.folder / "empty"), str(self.folder / where)]
        return subprocess.run(one + [":", "-np", "1"] + blind + one[3:], capture_output=True, text=True,
                              timeout=120, stdin=subprocess.DEVNULL)

    def test_memory_that_runs_out_on_one_rank(self):
        """Rank 1 may not map more than it has when its stage begins."""
        failures = {}
        for command, stage, folder in STAGES:
            log = self.run_dir / "log.jsonl"
            before = log.stat().st_size if log.exists() else 0
            job = subprocess.Popen(self.command(2, command), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
            while job.poll() is None and not self.begun(log, before):
                time.sleep(0.002)
            self.limit_last_rank(job.pid)
            text, _ = job.communicate(timeout=120)
            with self.subTest(stage=command):
                if job.returncode != 0:
                    self.assertFalse((self.run_dir / folder / "manifest.json").exists())
                    failures[command] = self.check_memory_message(text, stage)
            self.run_stage(command)
        self.assertGreaterEqual(failures.keys(), {"encode", "decode base", "decode knn"})

    def check_memory_message(self, text, stage):
        if "Out of memory in file" in text:  # ROMIO says so, and aborts the job itself
            return text
        message = self.check_message(text, stage, rank="1")
        # MPI-IO opens a file or fails, and does not say why; nor does oneDNN, of its "primitives".
        # The C library says why and aborts the process.
        says = text if "SIGABRT" in message else message
        self.assertRegex(says, "memory|alloc|MPI_File_open|create a primitive")
        return message

    @staticmethod
    def begun(log, before):
        if not log.exists():
            return False
        with log.open("rb") as file:
            file.seek(before)
            return any(b'"stage_begin"' in line for line in file)

    @staticmethod
    def limit_last_rank(pid):
        ranks = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
        for rank in ranks[-1:]:
            pages = int(Path(f"/proc/{rank}/statm").read_text().split()[0])
            resource.prlimit(int(rank), resource.RLIMIT_AS, (pages * PAGE, pages * PAGE))


if __name__ == "__main__":
    unittest.main()
