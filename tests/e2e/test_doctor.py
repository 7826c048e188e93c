"""knnseq doctor: what it prints, and what it refuses."""
import subprocess
import unittest

import pipeline


class Doctor(pipeline.PipelineTest):
    def run_doctor(self, *arguments, ranks=1, code=0):
        command = ["mpirun", "-np", str(ranks)] if ranks > 1 else []
        done = subprocess.run([*command, pipeline.PROGRAM, "doctor", *arguments], capture_output=True,
                              text=True, timeout=120, stdin=subprocess.DEVNULL, cwd=self.folder)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_without_a_config_it_says_what_there_is(self):
        before = sorted(self.folder.rglob("*"))
        for ranks in 1, 3:
            text = self.run_doctor(ranks=ranks).stdout
            for name in "knnseq", "MPI", "HDF5", "libtorch", "BLAS", "faiss":
                self.assertEqual(len([line for line in text.splitlines() if line.startswith(name)]), 1, text)
            self.assertIn("with MPI-IO", text)
            self.assertIn("threads: ", text)
            rows = [line for line in text.splitlines() if line.startswith("|")][2:]
            self.assertEqual([int(row.split("|")[1]) for row in rows], list(range(ranks)))
        self.assertEqual(sorted(self.folder.rglob("*")), before)  # it leaves nothing behind

    def test_threads_of_a_config_are_compared_with_the_cores(self):
        text = self.run_doctor("--config", str(self.config), "--set", "threads=4096", ranks=2).stdout
        self.assertIn("2 ranks × 4096 threads are more than its", text)

    def test_what_the_config_says_wrong_is_refused(self):
        self.assertIn("no-such.yaml", self.run_doctor("--config", "no-such.yaml", code=2).stderr)
        done = self.run_doctor("--set", "threads=2", code=2)
        self.assertIn("--config FILE is required", done.stderr)

    def test_a_device_that_is_not_there_is_refused_after_the_diagnosis(self):
        done = self.run_doctor("--config", str(self.config), "--set", "device=cuda", ranks=2, code=2)
        self.assertIn("device: cuda needs the program knnseq-cuda", done.stderr)
        self.assertIn("libtorch", done.stdout)


if __name__ == "__main__":
    unittest.main()
