"""Several hosts: the pipeline over a network gives the bytes of one host, and a host that is cut off ends the
job with a message instead of leaving it waiting."""
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "e2e")]
import private_namespaces  # noqa: E402

for tool in ("ip", "nsenter", "mount"):
    if shutil.which(tool) is None:
        private_namespaces.skip(f"{tool} is not installed")
private_namespaces.enter("--net")

import pipeline  # noqa: E402
from host_network import HostNetwork  # noqa: E402

EVERYTHING = ("corpus/*", "datastore/*", "codebook/*", "index/*", "decode/*/*")


def processes(program):
    """Process ids of all that run this program, on all hosts."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "exe").resolve() == Path(program).resolve():
                found.append(int(process.name))
        except OSError:
            pass  # it has just ended
    return found


class Hosts(pipeline.PipelineTest):
    def setUp(self):
        super().setUp()
        # More shards than hosts, so that there are several commits in encode.
        self.config.write_text(self.config.read_text() + "shards: 10\n")
        self.network = HostNetwork(self.folder / "network", 4)
        self.addCleanup(self.network.close)
        self.run_stage("run", "--set", f"run_dir={self.folder / 'whole'}")

    def start(self, stage, *options, settings=None, hosts=None, ranks=1):
        """On all hosts, or the first ones; what it prints goes to self.output."""
        self.output = self.folder / "output"
        command = self.network.mpirun(pipeline.PROGRAM, *stage.split(), "--config", str(self.config), *options,
                                      bound_seconds=150, settings=settings, hosts=hosts, ranks=ranks)
        with self.output.open("w") as output:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def run_on_hosts(self, stage, *options, **where):
        code = self.start(stage, *options, **where).wait(timeout=180)
        self.assertEqual(code, 0, self.output.read_text())

    def wait_until(self, holds, seconds=90):
        deadline = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), deadline, self.output.read_text())
            time.sleep(0.002)

    def cut_in(self, stage, pattern, host, settings):
        """Starts a stage and cuts a host off as soon as there is something in a file of that pattern; such a
        stage cannot end well, since all ranks meet at its end (or at each step of a search with one copy of
        the index a job). Returns the job."""
        job = self.start(stage, "--set", "timeout_seconds=8", "--set", "knn.copies=job", settings=settings)
        run = self.folder / "run"
        self.wait_until(lambda: any(path.stat().st_size > 0 for path in run.glob(pattern)))
        self.network.cut(host)
        self.assertIsNone(job.poll(), self.output.read_text())
        return job

    def check_all_ended(self, host):
        """Also on the host that nobody can reach."""
        self.wait_until(lambda: not processes(pipeline.PROGRAM))
        self.network.mend(host)

    def test_same_bytes_as_on_one_host(self):
        self.run_on_hosts("run")
        self.assertEqual(self.digests(*EVERYTHING), self.digests(*EVERYTHING, run="whole"))
        # Where no node has room for a copy each holds a part, and rank i of a node asks rank i of the others.
        for hosts, ranks, shards in ((2, 2, "half the shards"), (3, 2, "three or four")):
            with self.subTest(hosts=hosts, ranks=ranks, each_has=shards):
                self.run_on_hosts("decode knn", "--force", "--set", "knn.copies=nodes", hosts=hosts, ranks=ranks)
                self.assertIn("one copy of the index over all nodes", self.output.read_text())
                self.assertEqual(self.digests(*EVERYTHING), self.digests(*EVERYTHING, run="whole"))

    def test_cut_off_hosts(self):
        for stage in ("partition", "encode", "train", "add"):
            if stage == "encode":
                # mpirun cannot end the ranks of hosts out of reach, and would wait for them for long. Rank 0's
                # own host: others have not said a word to it so far, and find nobody to connect to.
                job = self.cut_in("encode", "datastore/*.journal.*", "host1", {"oob_tcp_keepalive_time": 0})
                self.wait_until(lambda: "timeout_seconds in the config" in self.output.read_text())
                job.send_signal(signal.SIGTERM)
                self.assertNotEqual(job.wait(timeout=30), 0)
                self.check_all_ended("host1")
            self.run_on_hosts(stage)
        # With the settings of the batch scripts, but shorter, mpirun itself finds out and says which.
        keepalive = {"oob_tcp_keepalive_time": 4, "oob_tcp_keepalive_intvl": 1, "oob_tcp_keepalive_probes": 2}
        job = self.cut_in("decode knn", "decode/knn/*.journal.*", "host2", keepalive)
        code = job.wait(timeout=120)
        self.assertNotIn(code, (0, 124, 137), self.output.read_text())
        self.assertRegex(self.output.read_text(), r"on node host2|timeout_seconds in the config")
        self.check_all_ended("host2")
        self.run_on_hosts("run")
        self.assertEqual(self.digests(*EVERYTHING), self.digests(*EVERYTHING, run="whole"))


if __name__ == "__main__":
    unittest.main()
