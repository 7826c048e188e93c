"""knnseq doctor: what it prints, and what it refuses."""
import os
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
            for name in "knnseq", "MPI", "HDF5", "libtorch", "BLAS", "faiss", "allocator":
                self.assertEqual(len([line for line in text.splitlines() if line.startswith(name)]), 1, text)
            self.assertIn("with MPI-IO", text)
            self.assertIn("threads: ", text)
            self.assertRegex(text, r"(?m)^allocator  (tcmalloc \d+\.\d+|the C library's)$")
            rows = [line for line in text.splitlines() if line.startswith("|")][2:]
            self.assertEqual([int(row.split("|")[1]) for row in rows], list(range(ranks)))
        self.assertEqual(sorted(self.folder.rglob("*")), before)  # it leaves nothing behind

    def ending(self, rank_0_first, environment):
        """What two ranks print if the first one does something else before it starts doctor."""
        script = f'if [ "$OMPI_COMM_WORLD_RANK" = 0 ]; then {rank_0_first}; fi; exec "$0" doctor'
        done = subprocess.run(["mpirun", "-np", "2", "sh", "-c", script, pipeline.PROGRAM], capture_output=True,
                              text=True, timeout=60, stdin=subprocess.DEVNULL, cwd=self.folder,
                              env=os.environ | environment)
        self.assertNotEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stderr

    def test_a_rank_that_stands_still_while_mpi_starts_or_ends_ends_the_job(self):
        text = self.ending("kill -STOP $$", {"KNNSEQ_START_TIMEOUT": "2"})
        self.assertRegex(text, "knnseq: process [0-9]+ on .*: MPI_Init has waited 2 s for the other ranks: "
                               r".*\(KNNSEQ_START_TIMEOUT\)")
        # Rank 0 writes this file when its work is done; nobody reads this one.
        os.mkfifo(self.folder / "fifo")
        text = self.ending("export KNNSEQ_SUCCESS_FILE=fifo", {"KNNSEQ_START_TIMEOUT": "8"})
        self.assertIn("MPI_Finalize has waited 8 s for the other ranks", text)

    def test_an_unusable_time_to_start_is_refused(self):
        done = subprocess.run([pipeline.PROGRAM, "doctor"], capture_output=True, text=True, timeout=60,
                              env=os.environ | {"KNNSEQ_START_TIMEOUT": "soon"})
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stderr, "knnseq: KNNSEQ_START_TIMEOUT: 'soon' is not a number of seconds from "
                                      "0 to 1e9\n")

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
