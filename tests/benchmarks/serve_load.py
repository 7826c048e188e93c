#!/usr/bin/env python3
"""Measure a resident translator: how long one sentence takes, and how it does under load.

    serve_load.py --run runs/demo [--source data/libreoffice/test.de] [--clients 64] [--requests 2000]
                  [--ranks 2] [--program build/bin/knnseq] [--set KEY=VALUE …]

Starts `knnseq serve` on a free port of this machine. Sends sentences of the source one by one, with kNN and
by the model alone in turns: median and 95th percentile of the time to the answer. Then so many clients, each
with a connection of its own, send the requests between them, each the next sentence: sentences and tokens a
second, median and 95th percentile, and how many had another status than 200. In the end it prints the same of
`knnseq translate` over the same sentences in one batch, for comparison.
"""
import argparse
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import threading
import time
from pathlib import Path

from decode_speed import MPI, ROOT

ALONE = 60  # sentences one by one, for each kind


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True)
    parser.add_argument("--source", default="data/libreoffice/test.de", type=Path)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--program", default=ROOT / "build" / "bin" / "knnseq", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    return parser.parse_args()


def command(args, stage, *options):
    settings = [word for override in args.overrides for word in ("--set", override)]
    return ["mpirun", "-np", str(args.ranks), str(args.program), stage, "--run", args.run, *settings, *options]


def start_server(args):
    server = subprocess.Popen(command(args, "serve", "--listen", "127.0.0.1:0"), stderr=subprocess.PIPE, text=True,
                              env={**os.environ, **MPI})
    said = ""
    while "listening on" not in said:
        line = server.stderr.readline()
        if not line:
            raise SystemExit(said)
        said += line
    threading.Thread(target=server.stderr.read, daemon=True).start()
    return server, int(re.search(r"http://\S+:(\d+)", said).group(1))


def ask(connection, request):
    """Status, answer and seconds of one request."""
    began = time.perf_counter()
    connection.request("POST", "/v1/translate", body=json.dumps(request),
                       headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    made = json.loads(answer.read())
    return answer.status, made, time.perf_counter() - began


def summary(seconds):
    ordered = sorted(seconds)
    return f"median {1e3 * statistics.median(ordered):.0f} ms, 95 % {1e3 * ordered[int(0.95 * len(ordered))]:.0f} ms"


def measure_alone(port, lines):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    seconds = {True: [], False: []}
    for knn in (True, False):  # the first request of a kind opens things
        ask(connection, {"source": lines[0], "knn": knn})
    for line in lines[:ALONE]:
        for knn in (True, False):
            seconds[knn].append(ask(connection, {"source": line, "knn": knn})[2])
    connection.close()
    print(f"one by one, with kNN:  {summary(seconds[True])}")
    print(f"one by one, the model: {summary(seconds[False])}")


def measure_load(args, port, lines):
    work = iter(range(args.requests))
    lock = threading.Lock()
    statuses, seconds, tokens = [], [], []

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            with lock:
                number = next(work, None)
            if number is None:
                break
            status, made, took = ask(connection, {"source": lines[number % len(lines)], "nbest": 1})
            with lock:
                statuses.append(status)
                seconds.append(took)
                tokens.append(len(made["nbest"][0]["tokens"]) if status == 200 and made["nbest"] else 0)
        connection.close()

    clients = [threading.Thread(target=client) for _ in range(args.clients)]
    began = time.perf_counter()
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    took = time.perf_counter() - began
    print(f"{args.clients} clients, {args.requests} requests: {args.requests / took:.1f} sentences/s, "
          f"{sum(tokens) / took:.0f} tokens/s, {summary(seconds)}, "
          f"{sum(status != 200 for status in statuses)} without an answer of 200")


def measure_batch(args, lines):
    text = "".join(json.dumps({"source": lines[i % len(lines)], "nbest": 1}) + "\n" for i in range(args.requests))
    began = time.perf_counter()
    done = subprocess.run(command(args, "translate", "--jsonl"), input=text, capture_output=True, text=True,
                          check=True, env={**os.environ, **MPI})
    took = time.perf_counter() - began
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    tokens = sum(len(answer["nbest"][0]["tokens"]) for answer in answers if answer["nbest"])
    print(f"translate, all in one batch, with its start: {args.requests / took:.1f} sentences/s, "
          f"{tokens / took:.0f} tokens/s")


def main():
    args = parse_args()
    lines = args.source.read_text(encoding="utf-8").splitlines()
    server, port = start_server(args)
    try:
        measure_alone(port, lines)
        measure_load(args, port, lines)
    finally:
        server.send_signal(signal.SIGUSR1)
        server.wait()
    measure_batch(args, lines)


if __name__ == "__main__":
    main()
