"""What remove takes out: the files are those of an independent filter of the stored ones, for any ranks."""
import json
import shutil
import unittest

import h5py
import numpy as np

import pipeline

ENTRY_BITS = 40
KEPT = ("corpus/*", "datastore/*", "codebook/*", "index/*", "append/*/*/*")
REMOVED = {"main": [1, 2, 300, *range(686, 701)], "news": [7, 100]}  # 686 to 700 are in the test set


class Remove(pipeline.AppendingTest):
    def setUp(self):
        super().setUp()
        pairs = [line.split("\t") for line in
                 (pipeline.MODEL / "test.tsv").read_text(encoding="utf-8").splitlines()[800:840]]
        for side, language in enumerate(("de", "en")):
            self.write_side(f"late.{language}", [pair[side] for pair in pairs])
        text = self.config.read_text(encoding="utf-8")
        late = f"{{name: late, source: {self.folder}/late.de, target: {self.folder}/late.en}}"
        self.config.write_text(text.replace("/news.en}]", f"/news.en}}, {late}]"), encoding="utf-8")
        self.list = self.folder / "list.tsv"
        self.list.write_text("\n".join(f"{name}\t{line}" for name, lines in REMOVED.items() for line in lines) + "\n\n")

    def shard(self, folder, shard, run):
        """The datasets of a datastore's shard."""
        with h5py.File(self.folder / run / folder / "datastore" / f"shard-0000{shard}.h5") as file:
            found = {name: file[name][...] for name in file}
        for name in ("keys", "sample_keys", "sentence_keys"):
            found[name] = found[name].view(np.uint16)  # to the bit
        return found

    def lists(self, folder, shard, run):
        """(ids, codes) of each list of a shard's faiss file."""
        data = (self.folder / run / folder / "index" / f"shard-0000{shard}.faiss").read_bytes()
        at = data.index(b"ilar") + 4
        count, code_size = np.frombuffer(data, "<u8", 2, at)
        self.assertEqual(data[at + 16:at + 20], b"full")
        at += 28
        sizes = np.frombuffer(data, "<u8", int(count), at)
        at += 8 * int(count)
        found = []
        for size in sizes.astype(int):
            codes = np.frombuffer(data, "u1", size * int(code_size), at).reshape(size, int(code_size))
            at += codes.nbytes
            found.append((np.frombuffer(data, "<i8", size, at), codes))
            at += 8 * size
        return found

    def content(self, folder, run="run"):
        return json.loads((self.folder / run / folder / "manifest.json").read_text())["content"]

    def check_corpus(self, folder, lines, first, new_first, run):
        """Filters the datastore and the index of a corpus and compares. Returns how many entries are left."""
        entries = self.content(f"{folder}/corpus")["entries"]
        gone = np.zeros(entries, bool)
        old = [self.shard(folder, shard, "run") for shard in (0, 1)]
        new = [self.shard(folder, shard, run) for shard in (0, 1)]
        out = [np.isin(shard["line_numbers"] + 1, lines) for shard in old]
        for shard, taken in zip(old, out):
            for start, length in zip(shard["entry_starts"][taken], np.diff(shard["sentence_starts"])[taken]):
                gone[start:start + length] = True
        self.assertEqual(sum(taken.sum() for taken in out), len(lines))
        number = np.cumsum(~gone) - 1  # of an entry, when it stays
        sentences = np.sort(np.concatenate([shard["sentence_numbers"][~taken] for shard, taken in zip(old, out)]))
        keys = {}
        for shard, taken, filtered in zip(old, out, new):
            lengths = np.diff(shard["sentence_starts"])
            rows = np.repeat(~taken, lengths)
            for name in ("values", "keys"):
                np.testing.assert_array_equal(filtered[name], shard[name][rows], name)
            for name in ("line_numbers", "sentence_keys"):
                np.testing.assert_array_equal(filtered[name], shard[name][~taken], name)
            np.testing.assert_array_equal(filtered["sentence_starts"], np.append(0, np.cumsum(lengths[~taken])))
            np.testing.assert_array_equal(filtered["entry_starts"], number[shard["entry_starts"][~taken]])
            np.testing.assert_array_equal(filtered["sentence_numbers"],
                                          np.searchsorted(sentences, shard["sentence_numbers"][~taken]))
            for start, row, length in zip(filtered["entry_starts"], filtered["sentence_starts"],
                                          np.diff(filtered["sentence_starts"])):
                keys.update({start + i: filtered["keys"][row + i] for i in range(length)})
        for filtered in new:  # all entries: the sample is larger
            for entry, key in zip(filtered["sample_entries"], filtered["sample_keys"]):
                np.testing.assert_array_equal(key, keys[entry])
        self.assertEqual(sum(len(filtered["sample_entries"]) for filtered in new), min(6000, len(keys)))
        for shard in (0, 1):
            for (ids, codes), (new_ids, new_codes) in zip(self.lists(folder, shard, "run"),
                                                          self.lists(folder, shard, run)):
                entry = (ids & (1 << ENTRY_BITS) - 1) - first
                stay = ~gone[entry]
                np.testing.assert_array_equal(new_codes, codes[stay])
                np.testing.assert_array_equal(new_ids, (ids - first - entry + number[entry] + new_first)[stay])
        left = self.content(f"{folder}/corpus", run)
        self.assertEqual((left["entries"], left["dropped"]["removed"]), (len(keys), len(lines)))
        return entries, len(keys)

    def right(self, run):
        lines = [(self.folder / name).read_text(encoding="utf-8").splitlines()
                 for name in (f"{run}/decode/knn/hyp.txt", "test.en")]
        return sum(a == b for a, b in zip(*lines))

    def test_pairs_and_corpora(self):
        self.run_stage("run")
        self.run_stage("export")
        listed = ("--lines", str(self.list))
        bytes_of = set()
        for ranks in (1, 2, 3):
            run = f"r{ranks}"
            shutil.copytree(self.run_dir, self.folder / run)
            options = ("--set", f"run_dir={self.folder / run}")
            if ranks == 2:
                ready = self.folder / run / "remove/next/datastore/shard-00000.h5"
                self.start_and_signal("remove", *listed, *options, when=ready.exists)
            printed = self.run_stage("remove", *listed, *options, ranks=ranks)
            self.assertRegex(printed, "took 18 pairs with [0-9]+ entries out of main")
            self.assertRegex(printed, "took 2 pairs with [0-9]+ entries out of news")
            self.assertIn("removed what was made from all pairs: export", printed)
            self.assertFalse((self.folder / run / "export").exists())
            bytes_of.add(self.digest(*KEPT, run=run))
            self.assertEqual([path.name for path in (self.folder / run / "remove").iterdir()], ["manifest.json"])
        self.assertEqual(len(bytes_of), 1)
        self.assertEqual(self.digest("codebook/*", run="r1"), self.digest("codebook/*"))
        all_of_main, main = self.check_corpus(".", REMOVED["main"], 0, 0, "r1")
        all_of_news, news = self.check_corpus("append/news", REMOVED["news"], all_of_main, main, "r1")
        self.assertEqual(self.digest("append/late/datastore/*", run="r1"), self.digest("append/late/datastore/*"))
        self.assertEqual(min(np.min(ids & (1 << ENTRY_BITS) - 1) for shard in (0, 1)
                             for ids, _ in self.lists("append/late", shard, "r1") if len(ids)), main + news)

        # The next command works on what is left, and all stages count as done.
        options = ("--set", f"run_dir={self.folder}/r1")
        self.run_stage("verify", *options)
        self.assertIn("indexes: 3 of 3 changed", self.run_stage("decode knn", *options, code=2))
        done = self.run_stage("run", "--force", *options)
        self.assertIn("append-late-measure", done)
        self.assertEqual(done.count("already done"), 4 + 3 + 3 + 1, done)  # but for measures and decode knn
        self.assertLess(self.right("r1"), self.right("run"))
        self.assertIn("none of these pairs is there", self.run_stage("remove", *listed, *options))

        # A corpus as a whole.
        self.assertIn("took out the corpus news", self.run_stage("remove news", *options))
        self.assertFalse((self.folder / "r1/append/news").exists())
        self.assertIn("the corpus news is taken out already", self.run_stage("remove news", *options, ranks=1))
        self.assertIn("append.news was taken out", self.run_stage("decode knn", "--force", *options))
        self.run_stage("verify", *options)
        self.assertEqual(self.content("remove", "r1"), {"corpora": ["news"], "files": {}, "pairs": {"main": 18}})

        self.list.write_text("late\t1\nlate\t41\n")
        self.assertIn("list.tsv:2: '41' is not the number of a line of late, from 1 to 40",
                      self.run_stage("remove", *listed, *options, ranks=1, code=2))
        self.list.write_text("".join(f"late\t{line}\n" for line in range(1, 41)))
        self.assertIn("late would have no pair left",
                      self.run_stage("remove", *listed, *options, ranks=1, code=2))
        self.assertIn("say what to take out", self.run_stage("remove", *options, ranks=1, code=2))


if __name__ == "__main__":
    unittest.main()
