"""serve: translations by HTTP, many clients at a time, and what it does with other requests."""
import http.client
import json
import os
import signal
import subprocess
import threading
import time
import unittest

import jsonschema

import pipeline

SCHEMA = json.loads((pipeline.ROOT / "docs/trace.schema.json").read_text(encoding="utf-8"))


class Serve(pipeline.ServingTest):
    def setUp(self):
        super().setUp()
        self.lines = (self.folder / "test.de").read_text(encoding="utf-8").splitlines()
        for stage in ("partition", "encode", "train", "add", "decode knn"):
            self.run_stage(stage)
        decoded = (self.folder / "run/decode/knn/nbest.jsonl").read_text(encoding="utf-8").splitlines()
        self.decoded = [json.loads(line)["nbest"][0]["text"] for line in decoded]

    def ask(self, job, body=None, path="/v1/translate", **headers):
        """Status and JSON of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", job.port, timeout=120)
        if body is None:
            connection.request("GET", path, headers=headers)
        else:
            text = body if isinstance(body, (str, bytes)) else json.dumps(body)
            connection.request("POST", path, body=text, headers={"Content-Type": "application/json"} | headers)
        answer = connection.getresponse()
        made = json.loads(answer.read())
        connection.close()
        return answer.status, made

    def test_answers_and_refusals(self):
        job = self.start(ranks=2)
        self.assertNotIn("no authentication", job.said)
        self.assertEqual(self.ask(job, path="/healthz"), (200, {"ok": True}))
        info = self.ask(job, path="/v1/info")[1]
        self.assertEqual((info["ranks"], info["settings"]["k"], info["limits"]["queue"]), (2, 16, 256))
        status, answers = self.ask(job, [{"source": line} for line in self.lines] + [{"sorce": ""}])
        self.assertEqual(status, 200)
        self.assertEqual([answer["text"] for answer in answers[:-1]], self.decoded)
        self.assertIn("has no field sorce", answers[-1]["error"]["message"])
        status, answer = self.ask(job, {"source": self.lines[0], "trace": True, "nbest": 2, "knn": {"k": 4}, "id": "x"})
        self.assertEqual((status, answer["id"], len(answer["nbest"])), (200, "x", 2))
        jsonschema.validate(answer["trace"], SCHEMA)
        for body, status, message in (("{", 400, "not valid JSON"), ({"source": 1}, 400, "source"),
                                      (b"\xff", 400, "not valid JSON"), ({"source": "a", "knn": {"k": 10 ** 6}}, 400, "knn.k"),
                                      ({"learn": {"source": "a", "target": "b"}}, 400, "does not learn"),
                                      ("[" * 3000, 400, "deeper"), ("x" * 2_000_000, 413, "too long"),
                                      ([{"source": "a"}] * 257, 413, "more than 256 sentences")):
            got, answer = self.ask(job, body)
            self.assertEqual(got, status, answer)
            self.assertIn(message, answer["error"]["message"])
        self.assertEqual(self.ask(job, {"source": "a"}, Host="evil.example")[0], 403)
        self.assertEqual(self.ask(job, {"source": "a"}, Origin="http://evil.example")[0], 403)
        self.assertEqual(self.ask(job, path="/nothing")[0], 404)
        self.assertEqual(info["offers"], {"modes": ["plain"], "policies": ["fixed", "distance"], "lists": 32})
        examples = self.ask(job, path="/v1/examples")[1]
        self.assertEqual((examples["name"], [line["source"] for line in examples["lines"]]), ("knn", self.lines))
        status, answer = self.ask(job, {"source": self.lines[0], "trace": {"plane": True, "neighbours": 3}})
        jsonschema.validate(answer["trace"], SCHEMA)
        for token in answer["trace"]["target"]["tokens"]:
            self.assertEqual(len(token["plane"]["neighbours"]), 3)
        status, brief = self.ask(job, {"source": self.lines[0],
                                       "trace": {"plane": True, "neighbours": 3, "tokens": [1]}})
        jsonschema.validate(brief["trace"], SCHEMA)
        tokens = brief["trace"]["target"]["tokens"]
        self.assertEqual([place for place, token in enumerate(tokens) if "neighbours" in token], [1])
        self.assertEqual(len(tokens[1]["plane"]["neighbours"]), 3)
        self.check_sharing()
        self.end(job, signal.SIGUSR1)  # which mpirun passes on
        self.assertEqual([*(self.folder / "run").glob("readers/*")], [])
        self.run_stage("partition", ranks=1)

    def check_sharing(self):
        """Commands that only read, or write elsewhere, work beside it; those that build do not."""
        self.run_stage("decode base", ranks=1)
        self.run_stage("inspect", ranks=1)
        self.run_stage("verify", ranks=1)
        other = self.start("--set", "serve.learn=true")
        self.assertEqual(self.ask(other, {"source": self.lines[1]})[1]["text"], self.decoded[1])
        lesson = {"source": "Der Zwackel hängt im Sprotz.", "target": "The zwackel hangs in the sprotz."}
        self.assertEqual(self.ask(other, {"learn": lesson}), (200, {"learned": {"line": 1}}))
        trace = self.ask(other, {"source": lesson["source"], "trace": True})[1]["trace"]
        self.assertIn("learned", {sentence["corpus"] for sentence in trace["sentences"]})
        self.end(other)
        self.assertIn("is being read by process", self.run_stage("partition", "--force", ranks=1, code=2))

    def test_many_clients_and_a_full_queue(self):
        job = self.start("--set", "serve.queue=20")
        self.assertEqual(self.ask(job, [{"source": "a"}] * 20)[0], 200)
        statuses, wrong = [], []

        def client(seed):
            connection = http.client.HTTPConnection("127.0.0.1", job.port, timeout=120)
            for i in range(12):
                at = (seed * 7 + i) % len(self.lines)
                connection.request("POST", "/v1/translate", body=json.dumps([{"source": self.lines[at]}] * 2),
                                   headers={"Content-Type": "application/json"})
                answer = connection.getresponse()
                made = json.loads(answer.read())
                statuses.append(answer.status)
                if answer.status == 200 and made[0]["text"] != self.decoded[at]:
                    wrong.append((at, made))
            connection.close()

        clients = [threading.Thread(target=client, args=(i,)) for i in range(16)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        self.assertEqual(len(statuses), 16 * 12)
        self.assertEqual(set(statuses), {200, 503})  # 32 sentences at a time do not fit
        self.assertEqual(wrong, [])
        # Those in hand are answered when it ends.
        answers = []
        asking = threading.Thread(target=lambda: answers.append(self.ask(job, [{"source": self.lines[0]}] * 20)))
        asking.start()
        time.sleep(0.1)
        self.end(job)
        asking.join()
        self.assertEqual(answers[0][0], 200)

    def test_addresses(self):
        job = self.start(listen="0.0.0.0:0")
        self.assertIn("there is no authentication", job.said)
        for listen, message in (("127.0.0.1", "is not an address"), (f"127.0.0.1:{job.port}", "cannot be listened on"),
                                ("192.0.2.1:1", "cannot be listened on")):
            done = subprocess.run([pipeline.PROGRAM, "serve", "--run", str(self.folder / "run"), "--listen", listen],
                                  capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(message, done.stderr)
        os.kill(job.pid, signal.SIGKILL)
        job.communicate()
        self.run_stage("partition", ranks=1)  # a reader that is gone is in nobody's way


if __name__ == "__main__":
    unittest.main()
