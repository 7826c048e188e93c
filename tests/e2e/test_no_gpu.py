"""knnseq-cuda on a machine without a GPU: it starts, says so, computes on CPUs unless it is told not to."""
import subprocess
import sys
import unittest

import pipeline


def doctor(*arguments):
    return subprocess.run([pipeline.PROGRAM, "doctor", *arguments], capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)


class NoGpu(pipeline.PipelineTest):
    def test_the_doctor_says_that_none_is_seen(self):
        done = doctor()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("for GPUs and CPUs", done.stdout)
        self.assertRegex(done.stdout, r"\nNCCL +2\.\d+\.\d+\n")
        self.assertIn("no rank sees one", done.stdout)

    def test_device_cuda_is_refused_on_all_ranks(self):
        for ranks in 1, 3:
            text = self.run_stage("partition", "--set", "device=cuda", ranks=ranks, code=2)
            self.assertIn("device: cuda, but this process sees no CUDA device on", text)
        self.assertFalse((self.folder / "run" / "corpus").exists())

    def test_auto_computes_on_the_cpu(self):
        self.run_stage("partition", ranks=2)
        self.run_stage("encode", ranks=2)
        self.assertTrue(self.digests("datastore/*.h5"))


if __name__ == "__main__":
    if "| GPU " in doctor().stdout:
        print("skipped: this machine has a GPU")
        sys.exit(77)
    unittest.main()
