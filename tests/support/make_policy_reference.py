#!/usr/bin/env python3
"""Write tests/data/policies.json: what scripts/reference_policies.py makes of random neighbours.

{"queries": [{"query", "log_probs", "distances", "tokens"} …], and for each of meta_k, robust and gate
 {"network": {name: {"shape", "values"}}, "expected": one a query}, "distance": {"tau", "temperature",
 "expected"}}: lambda and shares; of the gate its probability. Missing neighbours have distance null.
Some queries lack neighbours, one has none; tokens repeat.
"""
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import reference_policies as policies  # noqa: E402

K, WIDTH, VOCABULARY, HIDDEN, QUERIES = 6, 5, 12, 4, 12
SHAPES = {
    "meta_k": {"distances": [2], "log_temperature": [1], "hidden.weight": [HIDDEN, 2 * K],
               "hidden.bias": [HIDDEN], "output.weight": [5, HIDDEN], "output.bias": [5]},
    "robust": {"distances": [2], "log_temperature": [1], "hidden.weight": [HIDDEN, 3 * K + 2],
               "hidden.bias": [HIDDEN], "output.weight": [2, HIDDEN], "output.bias": [2],
               "neighbour.hidden.weight": [HIDDEN, 4], "neighbour.hidden.bias": [HIDDEN],
               "neighbour.output.weight": [1, HIDDEN], "query.weight": [1, WIDTH]},
    "gate": {"query.weight": [1, WIDTH], "hidden.weight": [HIDDEN, 2], "hidden.bias": [HIDDEN],
             "output.weight": [1, HIDDEN], "output.bias": [1]},
}


def random_network(rng, kind):
    network = {name: rng.normal(0, 0.7, shape).astype(np.float32) for name, shape in SHAPES[kind].items()}
    if "distances" in network:
        network["distances"] = np.array([10, 4], np.float32)
        network["log_temperature"] = np.array([1.5], np.float32)
    return network


def random_query(rng, missing):
    distances = np.sort(rng.gamma(4, 3, K)).astype(np.float32).astype(float)
    distances[K - missing:] = np.inf
    log_probs = np.log(policies.softmax(rng.normal(0, 3, VOCABULARY))).astype(np.float32)
    return {"query": rng.normal(1, 2, WIDTH).astype(np.float32), "log_probs": log_probs,
            "distances": distances, "tokens": rng.integers(0, VOCABULARY // 2, K)}


def main():
    rng = np.random.default_rng(1)
    queries = [random_query(rng, missing) for missing in [0] * (QUERIES - 4) + [1, 3, K - 1, K]]
    networks = {kind: random_network(rng, kind) for kind in SHAPES}

    def numbers(result):
        lam, shares = result
        return {"lambda": float(lam), "shares": shares.tolist()}

    expected = {
        "meta_k": lambda q: numbers(policies.meta_k(networks["meta_k"], q["distances"], q["tokens"])),
        "robust": lambda q: numbers(policies.robust(networks["robust"], **{
            name: q[name] for name in ("distances", "tokens", "log_probs", "query")})),
        "gate": lambda q: float(policies.worth(networks["gate"], q["log_probs"], q["query"])),
        "distance": lambda q: numbers(policies.distance(q["distances"], 5, 12)),
    }
    made = {kind: {"expected": [of(query) for query in queries]} for kind, of in expected.items()}
    made["distance"].update(tau=12, temperature=5)
    for kind, network in networks.items():
        made[kind]["network"] = {name: {"shape": list(values.shape), "values": values.ravel().tolist()}
                                 for name, values in network.items()}
    made["queries"] = [{name: [None if value == np.inf else value for value in values.tolist()]
                        for name, values in query.items()} for query in queries]
    text = json.dumps(made, indent=None, separators=(",", ":"))
    (ROOT / "tests/data/policies.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
