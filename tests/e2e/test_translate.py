"""translate: the bytes of decode where all lines wait, one by one in a pipe, and requests as JSON."""
import json
import math
import os
import signal
import subprocess
import time
import unittest

import jsonschema

import pipeline

SCHEMA = json.loads((pipeline.ROOT / "docs/trace.schema.json").read_text(encoding="utf-8"))
SUBSET = 'subset: {sentences: 40, index: "IVF8,Flat", nprobe: 4, sample: 500, codes: "OPQ16_64,PQ16"}\n'
ITEM = """  - {{name: subset, source: {folder}/test.de, reference: {folder}/test.en, mode: subset, block_sentences: 6}}
  - {{name: memory, source: {folder}/test.de, reference: {folder}/test.en, mode: memory, block_sentences: 6}}
"""


class Translate(pipeline.PipelineTest):
    def setUp(self):
        super().setUp()
        text = self.config.read_text(encoding="utf-8").replace(
            "evaluate:", ITEM.format(folder=self.folder) + "evaluate:")
        self.config.write_text(text + SUBSET, encoding="utf-8")
        lines = (self.folder / "test.de").read_text(encoding="utf-8").splitlines()
        lines[3] = ""  # an empty line is an empty line
        self.write_side("test.de", lines)
        self.lines = lines

    def start(self, *options, ranks=2, names=(), stderr=subprocess.PIPE):
        command = ["mpirun", "-np", str(ranks)] if ranks > 1 else []
        return subprocess.Popen([*command, pipeline.PROGRAM, "translate", *names, "--config", str(self.config), *options],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr)

    def translate(self, text, *options, code=0, **how):
        """What comes out for a text that waits as a whole, and what is said."""
        job = self.start(*options, **how)
        out, said = job.communicate(text.encode(), timeout=120)
        self.assertEqual(job.returncode, code, said.decode(errors="replace"))
        return out.decode(), said.decode(errors="replace")

    def hypotheses(self, decoding):
        lines = (self.folder / "run/decode" / decoding / "nbest.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["nbest"] for line in lines]

    def ask(self, *requests, copies="auto", **how):
        """The answers to requests as JSON, in one batch."""
        text = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in requests)
        out, _ = self.translate(text, "--jsonl", "--set", f"knn.copies={copies}", **how)
        answers = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(len(answers), len(requests))
        return answers

    def test_all(self):
        for stage in ("partition", "encode", "train", "add", "subset", "decode"):
            self.run_stage(stage)
        self.check_bytes()
        self.check_streaming()
        self.check_requests()
        self.check_learning()
        self.check_ends()

    def check_bytes(self):
        """Those of decode, whatever searches, for any ranks and from any source of settings."""
        whole = "".join(line + "\n" for line in self.lines)
        cases = [(name, ranks, ()) for name, ranks in (("knn", 1), ("base", 2), ("subset", 3), ("memory", 2))]
        cases += [("knn", 2, ("--set", "knn.copies=job")), ("knn", 3, ("--set", "knn.copies=node"))]
        for name, ranks, options in cases:
            with self.subTest(decoding=name, ranks=ranks, options=options):
                out, _ = self.translate(whole, *options, ranks=ranks, names=[name])
                wanted = (self.folder / "run/decode" / name / "hyp.txt").read_text(encoding="utf-8")
                self.assertEqual(out, wanted)
        # The run directory's own config; the settings that are taken are said.
        job = subprocess.run([pipeline.PROGRAM, "translate", "--run", str(self.folder / "run"),
                              "--set", "beam_search.block_sentences=6"],
                             input=whole.encode(), capture_output=True, timeout=60)
        self.assertEqual(job.stdout.decode(), (self.folder / "run/decode/knn/hyp.txt").read_text(encoding="utf-8"))
        self.assertIn("settings of knn and beam_search: beam 5, k 16, lambda 0.6, ", job.stderr.decode())

    def check_streaming(self):
        """A line is answered before the next one is sent, for longer than timeout_seconds."""
        job = self.start("--jsonl", "--set", "timeout_seconds=2", ranks=2, stderr=subprocess.DEVNULL)
        asked = [i for i in range(8) if self.lines[i]]
        answers = []
        for i in asked:
            job.stdin.write(json.dumps({"source": self.lines[i], "nbest": 1}).encode() + b"\n")
            job.stdin.flush()
            answers.append(json.loads(job.stdout.readline()))
            if i == 2:
                time.sleep(3)  # rank 0 says meanwhile that it is there
        job.stdin.close()
        self.assertEqual(job.wait(timeout=20), 0)
        job.stdout.close()
        for i, answer in zip(asked, answers):
            decoded = self.hypotheses("knn")[i][0]
            self.assertEqual(answer["text"], decoded["text"])
            for ours, theirs in zip(answer["nbest"][0]["log_probs"], decoded["log_probs"]):
                self.assertAlmostEqual(ours, theirs, delta=1e-4)

    def check_requests(self):
        source = max(self.lines, key=len)
        i = self.lines.index(source)
        decoded, base = self.hypotheses("knn")[i][0], self.hypotheses("base")[i][0]
        answers = self.ask(
            {"source": source, "id": 7, "reference": "What it should be.", "nbest": 3},
            {"source": source, "knn": False},
            {"source": source, "knn": {"lambda": 0}, "nbest": 1},
            {"source": source, "knn": {"mode": "subset"}},
            {"source": source, "knn": {"mode": "memory"}},
            {"source": source, "knn": {"k": 4, "nprobe": 32, "temperature": 5, "lambda": 0.3},
             "trace": {"neighbours": 4, "candidates": 2}},
            {"source": source, "knn": {"policy": "distance", "tau": 150}, "trace": True},
            {"source": source, "prefix": "On the other hand, he", "nbest": 2, "trace": True},
            {"source": ""}, {"source": "", "trace": True, "nbest": 2},
            "{", {"text": source}, {"source": source, "knn": {"k": 0}}, {"source": source, "knn": {"k": 10 ** 6}},
            {"source": source, "knn": {"nprobe": 33}}, {"source": source, "knn": {"policy": "robust"}},
            {"source": source, "knn": {"policy": "distance", "tau": 9, "lambda": 0.5}},
            {"source": source, "knn": {"temp": 3}}, {"source": "a\nb"}, {"source": source, "nbest": 6},
            {"source": source, "prefix": "word " * 400, "id": "last"}, {"source": 3}, [], {"source": source})
        self.assertEqual({key: answers[0][key] for key in ("id", "reference", "text", "score")},
                         {"id": 7, "reference": "What it should be.", "text": decoded["text"],
                          "score": answers[0]["nbest"][0]["score"]})
        self.assertEqual(len(answers[0]["nbest"]), 3)
        self.assertAlmostEqual(answers[0]["score"], decoded["score"], delta=1e-4)
        self.assertEqual(answers[1]["text"], base["text"])
        self.assertNotIn("nbest", answers[1])
        self.assertEqual(answers[2]["text"], base["text"])
        self.assertEqual(answers[3]["text"], self.hypotheses("subset")[i][0]["text"])
        self.assertEqual(answers[4]["text"], self.hypotheses("memory")[i][0]["text"])
        for answer, settings, shown in ((answers[5], {"k": 4, "lambda": 0.3, "temperature": 5}, 4),
                                        (answers[6], {"policy": "distance", "tau": 150, "k": 16}, 8)):
            jsonschema.validate(answer["trace"], SCHEMA)
            self.assertLessEqual(settings.items(), answer["trace"]["settings"].items())
            self.assertEqual(answer["trace"]["target"]["text"], answer["text"])
            self.assertEqual({len(token["neighbours"]) for token in answer["trace"]["target"]["tokens"]}, {shown})
        self.assertTrue(all(n["text"].startswith("On the other hand, he") for n in answers[7]["nbest"]))
        total = sum(math.log(token["p"]) for token in answers[7]["trace"]["target"]["tokens"])
        self.assertAlmostEqual(total, sum(answers[7]["nbest"][0]["log_probs"]), delta=1e-2)
        self.assertEqual(answers[8], {"text": "", "score": None})
        self.assertEqual((answers[9]["text"], answers[9]["nbest"]), ("", []))
        jsonschema.validate(answers[9]["trace"], SCHEMA)
        errors = ("not valid JSON", "has no field text", "field 'k' is 0", "knn.k 1000000 is more than the datastore's", "32 lists",
                  "knn.policy robust needs knn.network", "knn.lambda has no effect: policy is distance",
                  "knn.temp is not known", "one line of text", "nbest is 6", "and the translation at most 200",
                  "source", "must be an object")
        for number, (answer, message) in enumerate(zip(answers[10:-1], errors, strict=True), 11):
            with self.subTest(message=message):
                self.assertEqual(answer["error"]["line"], number)
                self.assertIn(message, answer["error"]["message"])
        self.assertEqual(answers[20]["id"], "last")
        self.assertEqual(answers[-1]["text"], decoded["text"])  # and it goes on, as configured
        alone = self.ask({"source": source, "knn": {"mode": "subset"}, "trace": True}, ranks=3)
        jsonschema.validate(alone[0]["trace"], SCHEMA)

    def check_learning(self):
        """A pair is found from the next request on, stays, and is found once when it has been appended."""
        source, target = "Der Zwackel hängt im Sprotz.", "The zwackel hangs in the sprotz."
        lesson = {"learn": {"source": source, "target": target}, "id": 3}
        ask = {"source": source, "trace": {"neighbours": 16}}

        def neighbours(answer):
            """(entry, distance) of the learned ones, with the corpus's name."""
            trace = answer["trace"]
            jsonschema.validate(trace, SCHEMA)
            ours = [i for i, sentence in enumerate(trace["sentences"]) if sentence["corpus"]]
            self.assertEqual({trace["sentences"][i]["corpus"] for i in ours}, {"learned"} if ours else set())
            for i in ours:
                self.assertEqual((trace["sentences"][i]["source"], trace["sentences"][i]["target"]), (source, target))
            return [(n["entry"], round(n["distance"], 2)) for token in trace["target"]["tokens"]
                    for n in token["neighbours"] if n["sentence"] in ours]

        bad = [{"learn": {"source": "", "target": "x"}}, {"learn": {"source": "x", "target": "word " * 600}},
               {"learn": {"source": "x", "target": "</s>"}}, {"learn": {"source": "x"}}, {**lesson, "nbest": 2}]
        answers = self.ask(ask, lesson, ask, *bad, ranks=2)
        self.assertEqual(neighbours(answers[0]), [])
        self.assertEqual(answers[1], {"id": 3, "learned": {"line": 1}})
        found = neighbours(answers[2])
        self.assertGreaterEqual(len(found), len(answers[2]["trace"]["target"]["tokens"]) - 1)
        for answer, message in zip(answers[3:], ("empty source", "target longer than", "special token", "learn.target",
                                                 "no field stands beside it but id"), strict=True):
            self.assertIn(message, answer["error"]["message"])

        learned = self.folder / "run/learned"
        self.assertEqual((learned / "source").read_text(encoding="utf-8"), source + "\n")
        with (learned / "source").open("a", encoding="utf-8") as file:
            file.write("A pair whose target a crash has los")
        for ranks, copies in ((1, "device"), (3, "job")):  # the next ones find it too
            self.assertEqual(neighbours(self.ask(ask, "{", ranks=ranks, copies=copies)[0]), found)

        first = self.start("--jsonl", ranks=1)  # while one learns, no other can
        first.stdin.write(json.dumps(lesson).encode() + b"\n")
        first.stdin.flush()
        self.assertEqual(json.loads(first.stdout.readline()), {"id": 3, "learned": {"line": 2}})
        self.assertIn("is in use by", self.ask(lesson, "{")[0]["error"]["message"])
        first.communicate(timeout=20)
        self.assertEqual((learned / "target").read_text(encoding="utf-8"), 2 * (target + "\n"))
        self.assertEqual((learned / "source").read_text(encoding="utf-8"), 2 * (source + "\n"))

        for side in ("source", "target"):  # appended, and one more afterwards
            text = (learned / side).read_text(encoding="utf-8")
            (learned / side).write_text(text[:len(text) // 2], encoding="utf-8")
        before = self.config.read_text(encoding="utf-8")
        self.config.write_text(before + f"append:\n  - {{name: learned, source: {learned}/source, "
                               f"target: {learned}/target}}\n", encoding="utf-8")
        self.run_stage("append")
        appended, more, both = self.ask(ask, lesson, ask)
        self.assertEqual(neighbours(appended), found)
        self.assertEqual(more["learned"], {"line": 2})
        self.assertGreater(len(neighbours(both)), len(found))
        self.config.write_text(before, encoding="utf-8")

    def check_ends(self):
        """Bad text, a stop, a rank that is killed, and names that are none."""
        for ranks in (1, 2):
            out, said = self.translate("Hallo.\n\0\nHallo.\n", ranks=ranks, code=2)
            self.assertEqual(len(out.splitlines()), 1)
            self.assertEqual(said.count("standard input:2: invalid text"), 1)
        self.assertIn("no 'decode' item named 'x'", self.translate("", names=["x"], ranks=2, code=2)[1])
        self.assertIn("takes one name", self.translate("", names=["knn", "base"], ranks=1, code=2)[1])
        self.assertEqual(self.translate("", ranks=2)[0], "")
        job = self.start(ranks=1)
        job.stdin.write(b"Hallo.\n")
        job.stdin.flush()
        self.assertTrue(job.stdout.readline().strip())
        job.send_signal(signal.SIGUSR1)
        self.assertEqual(job.wait(timeout=20), 75)  # though its input has not ended
        said = job.communicate(timeout=20)[1].decode()
        self.assertIn("stopped by SIGUSR1", said)
        job = self.start(ranks=3)
        job.stdin.write(b"Hallo.\n")
        job.stdin.flush()
        self.assertTrue(job.stdout.readline().strip())
        ranks = subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True).stdout.split()
        os.kill(int(ranks[-1]), signal.SIGKILL)
        began = time.time()
        job.communicate(timeout=20)
        self.assertNotEqual(job.returncode, 0)
        self.assertLess(time.time() - began, 15)


if __name__ == "__main__":
    unittest.main()
