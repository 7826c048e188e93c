#!/usr/bin/env python3
"""Recompute keys, neighbours, probabilities and scores of a finished run without knnseq.

    reference_knnmt.py RUN_DIR [--decoding test-knn] [--sentences 20]

For one Hugging Face model (RUN_DIR/config.yaml names it). Needs torch, transformers, sentencepiece,
h5py, numpy, pyyaml and faiss-cpu from PyPI.
"""
import argparse
import json
from pathlib import Path
import faiss
import h5py
import numpy as np
import torch
import transformers
import yaml

import reference_policies as policies
import tensor_files

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("run_dir", type=Path)
parser.add_argument("--decoding", default="test-knn", help="an item of decode, with kNN")
parser.add_argument("--sentences", type=int, default=20, help="of the corpus, and of the test set")
args = parser.parse_args()
run, decoding = args.run_dir, args.run_dir / "decode" / args.decoding
made_with = json.loads((run / "datastore/manifest.json").read_text())["inputs"]
if made_with.get("store") == "none":
    raise SystemExit(f"{run}: compares keys, so it needs a datastore made with datastore.store: keys")
knn = json.loads((decoding / "manifest.json").read_text())["inputs"]
text, k, policy = knn["tokenizer"], knn.get("k"), knn.get("policy", "fixed")
if not k or len(knn["models"]) > 1 or text["preprocess_source"] or knn.get("threshold") or "gate" in knn:
    raise SystemExit(f"{decoding}: without kNN, or with several models, preprocess, a threshold or a gate")

config = yaml.safe_load((run / "config.yaml").read_text())
folder = config["model"][0]
many = {"src_lang": text["source_lang"], "tgt_lang": text["target_lang"]}
tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **many if text["source_lang"] else {})
model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float64).eval()
start = [model.generation_config.decoder_start_token_id]
start += tokenizer(text_target="").input_ids[:-1]  # the target language, if the model has many
caught, layer = [], model.get_decoder().layers[made_with["layer"]]
if made_with["key"] == "ffn_in":
    layer.fc1.register_forward_pre_hook(lambda module, given: caught.append(given[0]))
else:
    layer.register_forward_hook(lambda module, given, made: caught.append(made[0]))

def teacher_force(source, target):
    """(keys [n, d], log p_mt [n, V]) at the n tokens of target, the last of which is EOS."""
    caught.clear()
    inputs = torch.tensor([start + target[:-1]])
    with torch.no_grad():
        out = model(input_ids=torch.tensor([source]), decoder_input_ids=inputs, use_cache=False)
    log_p = out.logits[0, len(start) - 1:].log_softmax(-1)
    return caught[0].view(inputs.numel(), -1)[len(start) - 1:].float().numpy(), log_p.numpy()

def nearest(distances, ids):
    """The k best of each row, by (distance, entry number); an id is token << 40 | entry number."""
    order = np.lexsort((ids & 2**40 - 1, distances), axis=1)[:, :k]
    return np.take_along_axis(distances, order, 1), np.take_along_axis(ids, order, 1)

network = {}
if "network" in knn:
    item = next(item for item in config["decode"] if item["name"] == args.decoding)
    stored = tensor_files.read_safetensors(item.get("network") or config["knn"]["network"])
    network = {name.removeprefix(policy + "."): tensor.array().astype(float)
               for name, tensor in stored.items() if name.startswith(policy + ".")}

def weigh(distances, neighbours, log_p_mt, query):
    """(lambda, share of each neighbour) by the decoding's policy."""
    if policy == "fixed":
        return policies.fixed(distances, knn["temperature"], knn["lambda"])
    if policy == "distance":
        return policies.distance(distances, knn["temperature"], knn["tau"])
    if policy == "meta_k":
        return policies.meta_k(network, distances, neighbours)
    return policies.robust(network, distances, neighbours, log_p_mt, query)

def log_p(distances, ids):
    """log((1 - lambda) p_mt + lambda p_knn) of the translations' tokens."""
    result = []
    for row, token in enumerate(np.concatenate(tokens)):
        lam, shares = weigh(distances[row], ids[row] >> 40, log_p_mt[row], queries[row])
        p_knn = shares[ids[row] >> 40 == token].sum()
        result.append(np.log((1 - lam) * np.exp(log_p_mt[row, token]) + lam * p_knn))
    return np.array(result)

# Keys of sentences of the corpus, in turn from all shards.
files = [sorted((run / part).glob("shard-*.h5")) for part in ("corpus", "datastore")]
shards = [(h5py.File(corpus), h5py.File(store)) for corpus, store in zip(*files)]
keys = []
for i in range(args.sentences):
    corpus, store = shards[i % len(shards)]
    at = i * len(corpus["line_numbers"]) // args.sentences
    source, rows = (slice(*corpus[name][at:at + 2]) for name in ("source_starts", "sentence_starts"))
    sentence = corpus["source_tokens"][source].tolist(), corpus["target_tokens"][rows].tolist()
    keys.append(store["keys"][rows] - teacher_force(*sentence)[0].astype(np.float16).astype(float))

# Queries and the model's own probabilities, for test sentences and their best translations.
sources = (decoding / "src.txt").read_text(encoding="utf-8").split("\n")
best = [json.loads(line)["nbest"][0] for line in open(decoding / "nbest.jsonl", encoding="utf-8")]
chosen = [i * len(best) // args.sentences for i in range(args.sentences)]
tokens = [best[at]["tokens"][len(start) - 1:] for at in chosen]
made = [teacher_force(tokenizer(sources[at]).input_ids, own) for at, own in zip(chosen, tokens)]
queries, log_p_mt = map(np.concatenate, zip(*made))

# Their neighbours in the index files, and among the raw keys.
found, true = [], (np.empty((len(queries), 0)), np.empty((len(queries), 0), int))
for path, (_, store) in zip(sorted((run / "index").glob("shard-*.faiss")), shards):
    index = faiss.read_index(str(path))
    faiss.extract_index_ivf(index).nprobe = knn["nprobe"]
    found.append(index.search(queries, 2 * k))  # of equal distances faiss takes any
    starts = store["sentence_starts"][:]
    entries = np.repeat(store["entry_starts"][:] - starts[:-1], np.diff(starts))
    ids = store["values"][:].astype(int) << 40 | entries + np.arange(starts[-1])
    for first in range(0, len(ids), 65536):
        raw = store["keys"][first:first + 65536].astype(np.float32)
        squares = (queries ** 2).sum(1)[:, None] - 2 * queries @ raw.T + (raw ** 2).sum(1)
        few = np.argpartition(squares, min(k, len(raw)) - 1)[:, :k]
        few = np.take_along_axis(squares, few, 1), ids[first + few]
        true = nearest(*map(np.hstack, zip(true, few)))
found = nearest(*map(np.hstack, zip(*found)))

stored = np.concatenate([best[at]["log_probs"][len(start) - 1:] for at in chosen])
sums = np.add.reduceat(log_p(*found), np.cumsum([0] + [len(own) for own in tokens[:-1]]))
scores = sums / np.array([len(best[at]["tokens"]) for at in chosen]) ** knn["length_penalty"]
rows = {"keys": np.concatenate(keys), "log p of each token": log_p(*found) - stored,
        "score of each translation": scores - [best[at]["score"] for at in chosen],
        "log p with the true neighbours": log_p(*true) - stored}
print(f"{'stored against recomputed':32}{'compared':>10}{'largest':>10}{'median':>10}  difference")
for name, size in rows.items():
    print(f"{name:32}{size.size:10}{abs(size).max():10.2g}{np.median(abs(size)):10.2g}")
same = (found[1][:, :, None] == true[1][:, None]).any(2)
print(f"keys with the same 16 bits: {(rows['keys'] == 0).mean():.2%}\n"
      f"of the true {k} neighbours the index finds {same.mean():.1%}, of the nearest ones "
      f"{(found[1] == true[1][:, :1]).any(1).mean():.1%}")
