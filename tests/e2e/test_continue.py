"""train --continue makes the codebook that the keys of all corpora together give, and codes all of them with it."""
import json
import shutil
import unittest

import h5py
import numpy as np

import pipeline

MADE = ("codebook/*", "index/*", "append/*/index/*")
NUMBER = (1 << 40) - 1  # of an entry, in an id


class Continue(pipeline.AppendingTest):
    def stored(self):
        """Keys and values of all corpora, by entry."""
        keys, values = [], []
        for folder in (self.run_dir, self.run_dir / "append/news"):
            found = {}
            for path in sorted((folder / "datastore").glob("*.h5")):
                with h5py.File(path) as file:
                    starts = file["sentence_starts"][...]
                    rows = file["keys"][...], file["values"][...]
                    for first, begin, end in zip(file["entry_starts"][...], starts, starts[1:]):
                        found.update({first + i: (rows[0][begin + i], rows[1][begin + i]) for i in range(end - begin)})
            keys += [found[entry][0] for entry in range(len(found))]
            values += [found[entry][1] for entry in range(len(found))]
        return np.stack(keys), np.array(values, np.uint32)

    def codes(self, *folders):
        """{entry: (list, code)} of the faiss files in these folders."""
        found = {}
        for path in (path for folder in folders for path in sorted(folder.glob("*.faiss"))):
            data = path.read_bytes()
            at = data.index(b"ilar") + 4
            count, size = (int(n) for n in np.frombuffer(data, "<u8", 2, at))
            sizes = np.frombuffer(data, "<u8", count, at + 28)
            at += 28 + 8 * count
            for number, entries in enumerate(sizes.astype(int)):
                codes = np.frombuffer(data, "u1", entries * size, at).reshape(entries, size)
                ids = np.frombuffer(data, "<i8", entries, at + codes.nbytes)
                at += codes.nbytes + ids.nbytes
                found.update({int(one & NUMBER): (number, code.tobytes()) for one, code in zip(ids, codes)})
        return found

    def test_a_codebook_of_all_corpora(self):
        decodings = [{"name": "knn", "source": f"{self.folder}/test.de"}]
        whole = ("--set", "datastore.sample=100000", "--set", f"decode={json.dumps(decodings)}", "--set", "evaluate={}")
        self.run_stage("run", *whole, "--set", "decode=[]")
        self.run_stage("export", *whole, ranks=1)
        before = self.digests(*MADE)
        for run in ("one", "imported"):
            shutil.copytree(self.run_dir, self.folder / run)

        # Killed while it codes, the old index is as it was and can be used.
        sign = self.run_dir / "retrain/next/index/shard-00000.json"
        self.start_and_signal("train", "--continue", *whole, when=sign.exists)
        self.assertEqual(self.digests(*MADE), before)
        self.run_stage("decode knn", *whole, ranks=1)
        said = self.run_stage("train", "--continue", *whole)
        self.assertRegex(said, r"a codebook of [0-9,]+ entries of 2 corpora, and their index: reads \S+ .iB of keys")
        self.assertRegex(said, "time about ")
        self.assertRegex(said, "append news: .* times as large")
        self.assertFalse((self.run_dir / "retrain").exists())
        self.assertFalse((self.run_dir / "export").exists())
        if pipeline.FULL:
            shutil.copytree(self.folder / "one", self.folder / "four")
        for run, ranks in (("one", 1), ("four", 4)) if pipeline.FULL else (("one", 1),):
            self.run_stage("train", "--continue", *whole, "--set", f"run_dir={self.folder}/{run}", ranks=ranks)
            self.assertEqual(self.digests(*MADE), self.digests(*MADE, run=run))

        # The same keys, in one corpus that is trained as usual.
        keys, values = self.stored()
        np.save(self.folder / "keys.npy", keys)
        np.save(self.folder / "values.npy", values)
        shutil.rmtree(self.folder / "imported")
        files = {"keys": f"{self.folder}/keys.npy", "values": f"{self.folder}/values.npy"}
        self.run_stage("run", *whole, "--set", f"run_dir={self.folder}/imported", "--set", "append=[]", "--set",
                       "decode=[]", "--set", f"import={json.dumps(files)}")
        self.assertEqual(self.digest("codebook/codebook.faiss"), self.digest("codebook/codebook.faiss", run="imported"))
        mine = self.codes(self.run_dir / "index", self.run_dir / "append/news/index")
        self.assertEqual(len(mine), len(values))
        self.assertEqual(mine, self.codes(self.folder / "imported/index"))

        # The other commands take it as it is.
        done = self.run_stage("run", *whole, "--force")
        self.assertEqual(done.count("already done"), 4 + 4, done)  # all but the translations
        self.assertIn("the codebook is that of all corpora already", self.run_stage("train", "--continue", *whole, ranks=1))
        self.run_stage("verify", ranks=1)
        self.run_stage("remove news", *whole)
        self.run_stage("decode knn", *whole, "--force", ranks=1)


if __name__ == "__main__":
    unittest.main()
