"""p = (1 - lambda) p_mt + lambda p_knn with a finished run's index: in NumPy, and in generate() of Hugging Face
transformers. Part of scripts/knnseq.py."""
import numpy as np

import reference_policies as policies
import tensor_files
from run_files import Index, RunError, floats


class Mixing:
    """kNN as `decode` has it, in NumPy: a run's index with settings of `knn` (a dict). Modes other than
    plain and several datastores are refused; the program knows them (Run.translator)."""

    def __init__(self, run, settings):
        if settings["mode"] != "plain" or settings["datastores"]:
            what = "knn.datastores" if settings["datastores"] else f"mode {settings['mode']}"
            raise RunError(f"{what} is not for this; Run.translator() takes it")
        corpora = settings["corpora"]
        unknown = set(corpora) - {corpus.called for corpus in run.corpora}
        if unknown:
            raise RunError(f"there is no corpus {', '.join(sorted(unknown))} in {run.path}")
        whole = not corpora or len(corpora) == len(run.corpora)
        self.index, self.settings = run.index if whole else Index.of_run(run, corpora), settings
        # The first entry of each corpus and the weight of its neighbours.
        self.first_entries = [corpus.first_entry for corpus in run.corpora]
        self.weights = np.array([settings["weights"].get(corpus.called, 1) for corpus in run.corpora], float)
        self.network = self._read(run, "network", settings["policy"])
        self.gate = self._read(run, "gate", "gate") if settings["gate"] else None

    def _read(self, run, key, prefix):
        if not self.settings[key] or (key == "network" and prefix not in ("meta_k", "robust")):
            return None
        tensors = tensor_files.read_safetensors(run.input_path(self.settings[key]))
        found = {name[len(prefix) + 1:]: tensor.array().astype(float)
                 for name, tensor in tensors.items() if name.startswith(prefix + ".")}
        if not found:
            raise RunError(f"{self.settings[key]} holds no network of {prefix}")
        return found

    def search(self, queries):
        how = self.settings
        return self.index.search(queries, how["k"], how["nprobe"], how["ef_search"], how["probing"])

    def weights_of(self, entries):
        """[n] float64: the weights of the corpora that entries [n] come from."""
        return self.weights[np.searchsorted(self.first_entries, np.maximum(entries, 0), "right") - 1]

    def weigh(self, distances, tokens, query, log_p_mt, weights=None):
        """(λ, the neighbours' shares [k], which sum to 1) of one query: distances and tokens [k], its
        vector [d], the model's log-probs [V], the neighbours' weights [k] (all are 1 if there are none)."""
        lam, shares = self._weigh(distances, tokens, query, log_p_mt)
        if weights is None or not shares.any() or (weights == 1).all():
            return lam, shares
        return lam, shares * weights / (shares * weights).sum()

    def _weigh(self, distances, tokens, query, log_p_mt):
        how = self.settings
        usable = np.isfinite(distances)
        if how["threshold"] is not None:
            usable &= -distances >= how["threshold"]
            usable &= -distances[0] > how["threshold"]
        if not usable.any() or (self.gate and policies.worth(self.gate, log_p_mt, query) < how["skip"]):
            return 0.0, np.zeros(len(distances))
        distances = np.where(usable, distances, np.inf)
        if how["policy"] == "fixed":
            return policies.fixed(distances, how["temperature"], how["lambda"])
        if how["policy"] == "distance":
            return policies.distance(distances, how["temperature"], how["tau"])
        if how["policy"] == "meta_k":
            return policies.meta_k(self.network, distances, tokens)
        return policies.robust(self.network, distances, tokens, log_p_mt, query)

    def __call__(self, queries, log_p_mt):
        """log p [n, V] float64 from queries [n, d] and the model's log-probs [n, V]."""
        queries, log_p_mt = np.asarray(queries, np.float64), np.asarray(log_p_mt, np.float64)
        found, mixed = self.search(queries), log_p_mt.copy()
        for row, (distances, entries, tokens) in enumerate(zip(*found)):
            lam, shares = self.weigh(distances.astype(float), tokens, queries[row], log_p_mt[row],
                                     self.weights_of(entries))
            if not lam:
                continue
            touched, place = np.unique(tokens[shares > 0], return_inverse=True)
            p_knn = np.bincount(place.reshape(-1), shares[shares > 0])
            with np.errstate(divide="ignore"):
                mixed[row] += np.log1p(-lam)
                mixed[row, touched] = np.log((1 - lam) * np.exp(log_p_mt[row, touched]) + lam * p_knn)
        return mixed


class KnnLogitsProcessor:
    """Mixes a run's datastore into generate() of the model that the datastore was made with:

        with run.logits_processor(model, k=8) as processor:
            model.generate(**inputs, logits_processor=[processor])

    Hooks catch the decoder's vectors and the model's logits in each step, until remove() or the end of
    `with`. For encoder-decoder models of transformers whose decoder layers have an fc1: Marian, M2M100,
    NLLB. `target_prefix`: what follows the start token in every translation, for M2M100 and NLLB the
    target language: [tokenizer.convert_tokens_to_ids("eng_Latn")].

    RunError if the model's vector of a datastore sentence is not the one stored. Works with greedy and
    beam search, and batches; other processors may rule tokens out before it (what they do otherwise
    raises ValueError) or come after it. Like knnseq, it mixes first and rules out then."""

    def __init__(self, run, model, mixing, target_prefix=()):
        self.model, self.mixing, self.prefix = model, mixing, list(target_prefix)
        if model.training:
            raise ValueError("the model is in training mode, with dropout: call model.eval() first")
        made = run.manifest("datastore")["inputs"]
        self._queries = self._logits = None
        try:
            layer = model.get_decoder().layers[made["layer"]]
            hook = (layer.fc1.register_forward_pre_hook(self._catch_input) if made["key"] == "ffn_in"
                    else layer.register_forward_hook(self._catch_output))
        except (AttributeError, IndexError):
            raise RunError(f"{type(model).__name__} has no decoder layer {made['layer']} with fc1: for Marian, "
                           "M2M100 and NLLB models of transformers") from None
        self._hooks = [hook, model.register_forward_hook(self._catch_logits)]
        try:
            self._check(run.datastore, made)
        except BaseException:
            self.remove()
            raise

    def _catch_input(self, module, given):
        self._queries = given[0].detach()

    def _catch_output(self, module, given, made):
        self._queries = (made[0] if isinstance(made, tuple) else made).detach()

    def _catch_logits(self, module, given, made):
        self._logits = made.logits.detach()

    def remove(self):
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def _check(self, datastore, made):
        """Raises RunError unless a stored key is what the model makes of its sentence."""
        shard = next((shard for shard in datastore.shards if shard.dataset("sample_entries", 1).size), None)
        if shard is None:
            return
        entry = int(shard.dataset("sample_entries", 1)[0])
        key = np.array(floats(shard.dataset("sample_keys", 2)[:1])[0], np.float32)
        sentence = datastore.sentence(int(datastore.sentence_of([entry])[0]))
        own = self._teacher_force(sentence.source, sentence.target)[0]
        if own.shape[1:] != key.shape:
            raise RunError(f"the datastore's keys have the width {len(key)}, the model's {own.shape[1]}")
        difference = np.linalg.norm(own[entry - sentence.first_entry] - key) / np.linalg.norm(key)
        if not difference < 0.02:
            raise RunError(f"the model's vector of entry {entry} differs from the stored key by {difference:.0%}: "
                           f"another model, another layer than {made['layer']} ({made['key']}), or a "
                           "target_prefix that is missing")

    def _teacher_force(self, source, target):
        """(queries [n, d], log p_mt [n, V]) at the n tokens of target, the last of which is the end."""
        import torch
        start = self.model.generation_config.decoder_start_token_id
        start = self.model.config.decoder_start_token_id if start is None else start
        given = [start, *self.prefix, *(int(token) for token in target[:-1])]
        rows = torch.tensor([[int(token) for token in source]]), torch.tensor([given])
        with torch.no_grad():
            self.model(input_ids=rows[0].to(self.model.device), decoder_input_ids=rows[1].to(self.model.device),
                       use_cache=False)
        queries = self._queries.reshape(len(given), -1)[len(self.prefix):]
        log_p = self._logits[0, len(self.prefix):].float().log_softmax(-1)
        return queries.float().cpu().numpy(), log_p.cpu().numpy()

    def log_probs(self, source, target):
        """[n] float64: log p of each token of a translation, teacher-forced, both sides as tokens that
        end with the end of sentence (without target_prefix): the p of a trace."""
        queries, log_p_mt = self._teacher_force(source, target)
        return self.mixing(queries, log_p_mt)[np.arange(len(target)), np.asarray(target, np.int64)]

    def __call__(self, input_ids, scores):
        """log p [rows, V], of scores' dtype, for logits or log-probs [rows, V] of the step just made."""
        import torch
        if self._queries is None or not self._hooks:
            raise RunError("the processor was removed, or belongs to another model")
        queries, logits = self._queries[:, -1], self._logits[:, -1].to(scores.device)
        if len(queries) != len(scores) or logits.shape != scores.shape:
            raise ValueError(f"scores are {list(scores.shape)}, the model's last step made {list(logits.shape)}")
        allowed = torch.isfinite(scores)
        shift = torch.where(allowed, scores - logits, 0)
        forced = allowed.sum(1) == 1
        centre = shift.sum(1, keepdim=True) / allowed.sum(1, keepdim=True).clamp(min=1)
        if (torch.where(allowed, (shift - centre).abs(), 0).amax(1) > 1e-3).logical_and(~forced).any():
            raise ValueError("a logits processor before this one has changed scores: put this one first")
        log_p_mt = logits.float().log_softmax(-1)
        mixed = self.mixing(queries.float().cpu().numpy(), log_p_mt.cpu().numpy())
        return torch.where(allowed, torch.tensor(mixed, dtype=scores.dtype, device=scores.device), scores)
