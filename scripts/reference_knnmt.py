#!/usr/bin/env python3
"""Recompute keys, neighbours, probabilities and scores of a finished run without knnseq.

    reference_knnmt.py RUN_DIR [--decoding NAME] [--sentences 20] [--folder .]

For one model: Marian, M2M100 or NLLB with transformers, or an imported fairseq model in NumPy. Plain kNN and
subsets, appended corpora, pruned indexes, every policy. RUN_DIR/config.yaml names the model, relative to
--folder. Needs h5py, numpy, pyyaml and faiss-cpu from PyPI; torch, transformers and sentencepiece for models
of transformers; sentencepiece or subword-nmt where an imported model has such pieces.
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path

import python_packages

python_packages.need("faiss=faiss-cpu", "h5py", "numpy", "yaml=pyyaml")
import numpy as np  # noqa: E402

import knnseq  # noqa: E402
import reference_fairseq  # noqa: E402
import reference_subset  # noqa: E402
from run_files import Measure, exact_search, nearest, rounded  # noqa: E402


class HuggingFaceModel:
    """As reference_fairseq.FairseqModel."""

    def __init__(self, folder, tokenizer, text):
        python_packages.need("torch", "transformers", "sentencepiece")
        import torch
        import transformers
        self.torch, self.mark = torch, ""
        many = {"src_lang": text["source_lang"], "tgt_lang": text["target_lang"]}
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer, **many if text["source_lang"] else {})
        self.model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float64).eval()
        self.start = [self.model.generation_config.decoder_start_token_id]
        if text["source_lang"]:  # the target language is the first that a model of many is given
            self.start += self.tokenizer(text_target="").input_ids[:-1]
        elif text["target_lang"]:
            self.mark = f">>{text['target_lang']}<< "

    def tokens_of(self, text):
        return self.tokenizer(self.mark + text).input_ids

    def teacher_force(self, source, target, key="ffn_in", layer=-1):
        caught, module = [], self.model.get_decoder().layers[layer]
        hook = (module.fc1.register_forward_pre_hook(lambda _, given: caught.append(given[0])) if key == "ffn_in"
                else module.register_forward_hook(lambda _, given, made: caught.append(made[0])))
        inputs = self.torch.tensor([self.start + target[:-1]])
        with self.torch.no_grad():
            out = self.model(input_ids=self.torch.tensor([source]), decoder_input_ids=inputs, use_cache=False)
        hook.remove()
        first = len(self.start) - 1
        log_p = out.logits[0, first:].log_softmax(-1)
        return (caught[0].reshape(inputs.numel(), -1)[first:].numpy(), log_p.numpy(),
                out.encoder_last_hidden_state[0].numpy())


def open_model(run, text):
    """The model and how many tokens of a source come before and after its text."""
    folder = run.input_path(run.config["model"][0])
    tokenizer = run.input_path(run.config.get("tokenizer") or folder)
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    if kind == "fairseq_transformer":
        model = reference_fairseq.FairseqModel(folder)
    elif kind in ("marian", "m2m_100"):
        model = HuggingFaceModel(folder, tokenizer, text)
    else:
        raise knnseq.RunError(f"{folder}: the reference has no models of type {kind}")
    return model, (1 if text["source_lang"] or text["target_lang"] else 0, 1)


def chosen_decoding(run, name):
    """An item of decode with kNN and its manifest's inputs: the one that is named, or the first."""
    if name is None:
        names = sorted(path.parent.name for path in run.path.glob("decode/*/manifest.json"))
        able = [n for n in names if "k" in run.manifest(f"decode/{n}")["inputs"]]
        if not able:
            raise knnseq.RunError(f"{run.path}/decode has no translation with kNN: run 'knnseq decode' first")
        name = able[0]
    inputs = run.manifest(f"decode/{name}")["inputs"]
    if "k" not in inputs:
        raise knnseq.RunError(f"decode/{name} was made without kNN, or with mode memory")
    if len(inputs["models"]) > 1 or len(inputs.get("indexes", [0])) > len(run.corpora):
        raise knnseq.RunError(f"decode/{name} was made with several models or datastores")
    if inputs["models"][0] != run.manifest("datastore")["inputs"]["model"]:
        raise knnseq.RunError(f"decode/{name} was made with another model than the datastore")
    return name, inputs


def searched_run(path, folder, decoding):
    """The run with those corpora, and that index, which the item of decode searched."""
    run = knnseq.Run(path, folder)
    name, inputs = chosen_decoding(run, decoding)
    if inputs.get("mode") == "subset":
        codes = inputs["codes"] if isinstance(inputs["codes"], list) else [inputs["codes"]]
        own = {run.manifest(corpus.folder.relative_to(run.path) / "subset/codes")["identity"]: corpus.name
               for corpus in run.corpora if (corpus.folder / "subset/codes/manifest.json").exists()}
        names = [own.get(identity, identity) for identity in codes]
        if not codes[0] or names != [corpus.name for corpus in run.corpora][:len(names)]:
            raise knnseq.RunError(f"decode/{name} was made in subsets of other corpora than the first ones of {path}")
        return knnseq.Run(path, folder, append=names[1:]), name, inputs
    for part, pruned in (("index", False), ("pruned/index", True)):
        names = {json.loads(file.read_text(encoding="utf-8"))["identity"]: file.relative_to(run.path).parts[1]
                 for file in [*run.path.glob(f"append/*/{part}/manifest.json"), run.path / part / "manifest.json"]
                 if file.exists()}
        if set(inputs["indexes"]) <= set(names):
            # Entries count over all corpora that come before those that were searched.
            first = {file.parts[-3]: json.loads(file.read_text(encoding="utf-8"))["inputs"]["first_entry"]
                     for file in run.path.glob("append/*/index/manifest.json")}
            last = max(first.get(names[identity], 0) for identity in inputs["indexes"])
            own = [name for name, entry in first.items() if entry <= last]
            return knnseq.Run(path, folder, append=own, pruned=pruned), name, inputs
    raise knnseq.RunError(f"decode/{name} was made with another index than {path} has: run "
                          f"'knnseq decode {name} --force'")


def preprocessed(lines, command):
    if not command:
        return lines
    done = subprocess.run(command, shell=True, input="".join(line + "\n" for line in lines), encoding="utf-8",
                          stdout=subprocess.PIPE, check=True)
    return done.stdout.split("\n")[:len(lines)]


class Searches:
    """Neighbours of the queries of some sentences (a list of [n, d], float32): among the codes that knnseq
    searched, and among the raw keys of the same entries; each (distances, entries), both [all n, k]."""

    def __init__(self, run, mixing, inputs):
        self.run, self.mixing, self.k = run, mixing, inputs["k"]
        self.measure = Measure(run.index.files[0].whole)

    def found(self, queries):
        return self.mixing.search(np.concatenate(queries))[:2]

    def true(self, queries):
        return exact_search(self.run.datastore, np.concatenate(queries), self.k, self.measure,
                            self.mixing.settings["corpora"])


class SubsetSearches(Searches):
    """The same in subsets: sources are the sentences' tokens, encoded the encoder's outputs."""

    def __init__(self, run, mixing, inputs, framed, sources, encoded):
        super().__init__(run, mixing, inputs)
        self.subsets = reference_subset.Subsets(run, inputs, framed)
        self.entries = [self.subsets.entries(*sentence) for sentence in zip(sources, encoded)]

    def nearest(self, distances, entries):
        return nearest(distances, np.broadcast_to(entries, distances.shape), self.k)

    def found(self, queries):
        parts = [self.nearest(self.subsets.distances(own, entries), entries)
                 for own, entries in zip(queries, self.entries)]
        return [np.concatenate(part) for part in zip(*parts)]

    def true(self, queries):
        parts = []
        for own, entries in zip(queries, self.entries):
            keys = self.run.datastore.keys(entries)
            parts.append(self.nearest(np.stack([self.measure.between(keys, query) for query in own]), entries))
        return [np.concatenate(part) for part in zip(*parts)]


def key_differences(run, teacher_force, count):
    """Stored keys of sentences, in turn from the whole datastore, minus those recomputed."""
    made = []
    for i in range(count):
        sentence = run.datastore.sentence(i * run.datastore.sentences // count)
        own = teacher_force(sentence.source.tolist(), sentence.target.tolist())[0]
        stored = run.datastore.keys(np.arange(len(sentence.target)) + sentence.first_entry)
        made.append(stored.astype(float) - rounded(own, type_of_keys(run)))
    return np.concatenate(made)


def type_of_keys(run):
    """"fp16", "fp32" or "bf16"."""
    return run.manifest("datastore")["inputs"].get("keys", "fp16")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--decoding", help="an item of decode, with kNN (default: the first)")
    parser.add_argument("--sentences", type=int, default=20, help="of the corpus, and of the test set")
    parser.add_argument("--folder", default=".", help="where relative paths of the config begin")
    args = parser.parse_args()
    run, name, inputs = searched_run(args.run_dir, args.folder, args.decoding)
    made = run.manifest("datastore")["inputs"]
    model, framed = open_model(run, inputs["tokenizer"])
    mixing, stored_keys = run.mixing(name, mode="plain"), made.get("store") != "none"

    def teacher_force(source, target):
        return model.teacher_force(source, target, made["key"], made["layer"])

    # Queries and the model's own probabilities, for test sentences and their best translations.
    decoding = run.path / "decode" / name
    lines = preprocessed((decoding / "src.txt").read_text(encoding="utf-8").split("\n"),
                         inputs["tokenizer"]["preprocess_source"])
    best = [json.loads(line)["nbest"] for line in open(decoding / "nbest.jsonl", encoding="utf-8")]
    usable = [i for i, hypotheses in enumerate(best) if hypotheses and lines[i].strip()]
    chosen = [usable[i * len(usable) // args.sentences] for i in range(args.sentences)]
    forced = len(model.start) - 1
    sources = [model.tokens_of(lines[i]) for i in chosen]
    targets = [best[i][0]["tokens"][forced:] for i in chosen]
    queries, log_p_mt, encoded = zip(*map(teacher_force, sources, targets))
    queries = [own.astype(np.float32) for own in queries]
    log_p_mt, tokens = np.concatenate(log_p_mt), np.concatenate(targets)

    def log_p(distances, entries):
        """log((1 - lambda) p_mt + lambda p_knn) of the translations' tokens."""
        result, all_queries = [], np.concatenate(queries)
        values = run.datastore.values(np.maximum(entries, 0).reshape(-1)).reshape(entries.shape)
        known = np.where(entries >= 0, values.astype(int), -1)
        for row, token in enumerate(tokens):
            lam, shares = mixing.weigh(distances[row].astype(float), known[row], all_queries[row], log_p_mt[row],
                                       mixing.weights_of(entries[row]))
            p_knn = shares[known[row] == token].sum()
            result.append(np.log((1 - lam) * np.exp(log_p_mt[row, token]) + lam * p_knn))
        return np.array(result)

    searches = (SubsetSearches(run, mixing, inputs, framed, sources, encoded) if inputs.get("mode") == "subset"
                else Searches(run, mixing, inputs))
    found = searches.found(queries)
    stored, own = np.concatenate([best[i][0]["log_probs"][forced:] for i in chosen]), log_p(*found)
    sums = np.add.reduceat(own, np.cumsum([0, *map(len, targets[:-1])]))
    scores = sums / np.array([len(best[i][0]["tokens"]) for i in chosen]) ** inputs["length_penalty"]
    has_text = "imported" not in made
    rows = {"keys": key_differences(run, teacher_force, args.sentences)} if stored_keys and has_text else {}
    rows |= {"log p of each token": own - stored,
             "score of each translation": scores - [best[i][0]["score"] for i in chosen]}
    if stored_keys:
        true = searches.true(queries)
        rows["log p with the true neighbours"] = log_p(*true) - stored

    print(f"decode/{name}; {len(run.datastore)} entries of {len(run.corpora)} corpora\n"
          f"{'stored against recomputed':32}{'compared':>10}{'largest':>10}{'median':>10}  difference")
    for what, size in rows.items():
        print(f"{what:32}{size.size:10}{abs(size).max():10.2g}{np.median(abs(size)):10.2g}")
    if stored_keys:
        same = (found[1][:, :, None] == true[1][:, None]).any(2)
        if has_text:
            print(f"keys with the same {32 if type_of_keys(run) == 'fp32' else 16} bits: "
                  f"{(rows['keys'] == 0).mean():.2%}")
        print(f"of the true {inputs['k']} neighbours the index finds {same.mean():.1%}, of the nearest ones "
              f"{(found[1] == true[1][:, :1]).any(1).mean():.1%}")
    else:
        print("the datastore has no keys (store: none): neither these nor true neighbours are compared")


if __name__ == "__main__":
    try:
        main()
    except knnseq.RunError as error:
        sys.exit(f"reference_knnmt.py: {error}")
