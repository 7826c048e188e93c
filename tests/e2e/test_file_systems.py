"""Other file systems, other ways of MPI to them, and odd paths: the same bytes, or a clear word."""
import os
import unittest
from unittest import mock

import pipeline

SHIM = os.environ["KNNSEQ_NO_FOLDER_FSYNC"]
FILES = ("corpus/*", "datastore/*", "codebook/*", "index/*", "decode/knn/*")


class FileSystems(pipeline.PipelineTest):
    def build(self, run, **environment):
        with mock.patch.dict(os.environ, environment):
            text = self.run_stage("run", "--set", f"run_dir={self.folder / run}")
        return text, self.digests(*FILES, run=run)

    def test_paths_that_mpi_takes_for_something_else(self):
        """ROMIO takes what stands before a colon for the name of a file system; Open MPI's shared file
        pointers have no room for long paths."""
        _, plain = self.build("run", OMPI_MCA_io="ompio")
        for io in ("ompio", "romio321"):
            with self.subTest(io=io):
                run = f"{io}-10:00:00/{'long' * 30}/{'er' * 50}"
                self.assertEqual(self.build(run, OMPI_MCA_io=io)[1], plain)

    def test_a_file_system_without_fsync_of_folders(self):
        text = self.run_stage("partition", ranks=1)
        self.assertNotIn("fsync", text)
        with mock.patch.dict(os.environ, LD_PRELOAD=SHIM):
            text = self.run_stage("encode")
        self.assertEqual(text.count("warning: "), 1, text)
        self.assertIn(f"{self.folder}/run", text)
        self.assertIn("does not make names durable (fsync of a folder)", text)


if __name__ == "__main__":
    unittest.main()
