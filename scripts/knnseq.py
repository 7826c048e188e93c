"""Finished runs of knnseq from Python: datastore, index, neighbours, scores, a translator that stays, and
kNN in generate() of Hugging Face transformers. docs/python.md shows all of it at work.

    import knnseq                                            # with scripts/ on sys.path
    run = knnseq.Run("runs/demo")
    run.datastore.sentence(run.datastore.sentence_of([4711])[0])
    run.neighbours(run.datastore.keys([4711]), k=8)
    with run.translator(ranks=2) as translator:
        translator.translate(["Die Datei wurde gespeichert."], trace=True, k=8)
    model.generate(**inputs, logits_processor=[run.logits_processor(model)])

Needs numpy, h5py, faiss-cpu and pyyaml; the translator needs the program, logits_processor() torch and
transformers. The files beside it in scripts/ belong to it. Run files are read as they are: `knnseq verify`
compares checksums. What is missing, unfinished or does not fit raises RunError with what to do.
"""
import collections
import json
import os
import shutil
import subprocess
import threading
from functools import cached_property
from pathlib import Path

import python_packages

python_packages.require("faiss=faiss-cpu", "h5py", "numpy", "yaml=pyyaml")
import yaml  # noqa: E402

from knn_mixing import KnnLogitsProcessor, Mixing  # noqa: E402
from run_files import Corpus, Datastore, Index, Neighbours, RunError, Sentence, read_json  # noqa: E402, F401


class RequestError(ValueError):
    """What the translator says of a request that it cannot answer."""


class Run:
    """A run directory. `folder` is where the relative paths of its config begin: the folder in which
    knnseq was started. `append` names the appended corpora to be used, or is "all"; by default those of the
    config. `pruned`: whether the index is the one that `prune` made; by default if the config has
    datastore.prune."""

    def __init__(self, path, folder=".", append=None, pruned=None):
        self.path, self.folder = Path(path), Path(folder)
        if not (self.path / "knnseq-run.json").exists() and not (self.path / "datastore").exists():
            raise RunError(f"{self.path} is no run directory of knnseq")
        self._append, self._pruned = append, pruned

    def __repr__(self):
        return f"knnseq.Run({str(self.path)!r})"

    def manifest(self, step):
        """What a finished step says of its inputs and results, such as "datastore" or "decode/NAME"."""
        return read_json(self.path / step / "manifest.json", f"this step is not finished ({step})")

    @cached_property
    def config(self):
        """The config of the last stage that worked in the run directory, defaults included, as a dict."""
        try:
            return yaml.safe_load((self.path / "config.yaml").read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise RunError(f"{self.path / 'config.yaml'}: {error}") from None

    @cached_property
    def corpora(self):
        """The first corpus and those appended to it, in the order of their entries."""
        finished = {file.parents[1].name: read_json(file, "")["inputs"]
                    for file in self.path.glob("append/*/index/manifest.json")}
        wanted = self._append
        if wanted is None and (self.path / "config.yaml").exists():
            wanted = [item["name"] for item in self.config.get("append") or [] if item["name"] not in self.removed]
        found = [Corpus("", self.path, 0)]
        for name in finished if wanted in (None, "all") else wanted:
            if name not in finished:
                raise RunError(f"{self.path}: run 'knnseq append {name}' first, or leave it out: Run(…, append=[])")
            if finished[name]["codebook"] != self.manifest("codebook")["identity"]:
                raise RunError(f"{self.path}/append/{name} has another codebook: run 'knnseq append {name} --force'")
            found.append(Corpus(name, self.path / "append" / name, finished[name]["first_entry"]))
        return sorted(found, key=lambda corpus: corpus.first_entry)

    @cached_property
    def removed(self):
        """Names of the corpora that `remove` has taken out."""
        path = self.path / "remove/manifest.json"
        return read_json(path, "")["content"]["corpora"] if path.exists() else []

    @cached_property
    def weights(self):
        """{name: weight of a corpus} as the config has them; the first corpus is "main"."""
        return {"main": 1, **{item["name"]: item.get("weight", 1) for item in self.config.get("append") or []}}

    def searched(self, identities):
        """Names of the corpora whose indexes (those that are searched) have these identities."""
        part, known = "pruned/index" if self.pruned else "index", {}
        for corpus in self.corpora:
            known[self.manifest((corpus.folder / part).relative_to(self.path))["identity"]] = corpus.called
        if not set(identities) <= set(known):
            raise RunError(f"{self.path}: the translation was made with another index than there is now")
        return [known[identity] for identity in identities]

    @cached_property
    def pruned(self):
        if self._pruned is not None:
            return self._pruned
        prune = (self.config.get("datastore") or {}).get("prune") or {}
        return prune.get("probability") is not None or prune.get("distance") is not None

    @cached_property
    def datastore(self):
        return Datastore(self)

    @cached_property
    def index(self):
        return Index.of_run(self)

    @cached_property
    def scores(self):
        """What `knnseq evaluate` found, {name of the item of decode: its row of evaluate/scores.json}."""
        rows = read_json(self.path / "evaluate/scores.json", "run 'knnseq evaluate' first")["scores"]
        return {row["name"]: row for row in rows}

    def neighbours(self, queries, k, nprobe=None):
        """Neighbours of queries [n, d] (any float dtype), as `knnseq decode` finds them: among the codes of
        the index, with the config's nprobe if none is given. Raises ValueError for another width."""
        how = self.knn_settings()
        return self.index.search(queries, k, nprobe or how["nprobe"], how["ef_search"], how["probing"])

    def knn_settings(self, decoding=None, **changed):
        """Settings of kNN: the config's, or those that an item of decode was translated with; with changes
        (`lambda_` for lambda). Raises RunError for an item without kNN, ValueError for an unknown name."""
        defaults = {"mode": "plain", "k": 16, "nprobe": 32, "temperature": 100, "lambda": 0.5, "tau": None,
                    "policy": "fixed", "network": "", "threshold": None, "gate": "", "skip": 0,
                    "probing": "exact", "ef_search": 64, "datastores": [], "corpora": [], "weights": {}}
        given = {**(self.config.get("knn") or {}), "weights": self.weights}
        if decoding is not None:
            given = self.manifest(f"decode/{decoding}")["inputs"]
            if "k" not in given:
                raise RunError(f"{self.path}/decode/{decoding} was made without kNN")
            if len(given["models"]) > 1:
                raise RunError(f"{self.path}/decode/{decoding} was made with an ensemble")
            paths = self.item(decoding)  # the manifest has fingerprints of these files
            given = {**given, **{name: paths.get(name, "") for name in ("network", "gate") if name in given}}
            if "indexes" in given and len(given["indexes"]) <= len(self.corpora):  # else of several datastores
                names = self.searched(given["indexes"])
                given |= {"corpora": names, "weights": dict(zip(names, given.get("weights", [1] * len(names))))}
        changed = {name.rstrip("_"): value for name, value in changed.items()}
        unknown = set(changed) - set(defaults)
        if unknown:
            raise ValueError(f"no setting of kNN: {', '.join(sorted(unknown))}; there are {', '.join(defaults)}")
        return {name: changed.get(name, given.get(name, value)) for name, value in defaults.items()}

    def item(self, name):
        """An item of decode as the config has it, what it does not say taken from `knn`."""
        for item in self.config.get("decode") or []:
            if item["name"] == name:
                return {**(self.config.get("knn") or {}), **item}
        raise RunError(f"{self.path / 'config.yaml'}: no item of decode is named '{name}'")

    def input_path(self, path):
        """A path of the config. Raises RunError if there is nothing."""
        found = self.folder / path
        if not found.exists():
            raise RunError(f"{found} is not there: Run(…, folder=…) takes the folder in which knnseq was started")
        return found

    def mixing(self, decoding=None, **knn):
        return Mixing(self, self.knn_settings(decoding, **knn))

    def logits_processor(self, model, decoding=None, target_prefix=(), **knn):
        return KnnLogitsProcessor(self, model, self.mixing(decoding, **knn), target_prefix)

    def translator(self, ranks=1, name=None, program=None, launcher=None, options=()):
        """A Translator: `knnseq translate [name] --run … --jsonl`. `launcher` (["mpirun", "-np", "2"] by
        default for ranks=2) is a command that starts the program, `options` more arguments of knnseq
        (["--set", "knn.copies=job"]). The program is `program`, or as find_program() says."""
        if launcher is None:
            launcher = ["mpirun", "-np", str(ranks)] if ranks > 1 else []
        command = [*launcher, program or find_program(), "translate", *([name] if name else ()),
                   "--run", str(self.path.resolve()), "--jsonl", *options]
        return Translator(command, self.folder)


def find_program():
    """$KNNSEQ_PROGRAM; the program of this project's build/, or installed with this file; or that on PATH."""
    top = Path(__file__).resolve().parents[1]
    places = [top / "build/bin/knnseq", *(prefix / "bin/knnseq" for prefix in list(top.parents)[1:2])]
    own = [str(path) for path in places if path.exists()]
    found = os.environ.get("KNNSEQ_PROGRAM") or (own[0] if own else shutil.which("knnseq"))
    if not found:
        raise RunError("the program knnseq is neither in build/bin nor on PATH: build it, or give program=")
    return found


# ---- the program ----

class Translator:
    """`knnseq translate --jsonl` as a process that stays, in a `with`; made by Run.translator(). The model
    and the index are loaded when the block begins. RunError, with what the program said, if it ends."""

    def __init__(self, command, folder):
        self.command, self._folder, self._process = command, folder, None
        self._said = collections.deque(maxlen=40)

    def __enter__(self):
        try:
            self._process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=subprocess.PIPE, cwd=self._folder, encoding="utf-8")
        except OSError as error:
            raise RunError(f"{self.command[0]}: {error.strerror}") from None
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        try:
            self._ask([{"source": ""}])  # answered when it is ready
        except BaseException:
            self.close(kill=True)
            raise
        return self

    def _listen(self):
        for line in self._process.stderr:
            self._said.append(line)

    def __exit__(self, kind, *_):
        self.close(kill=kind is not None)

    def close(self, kill=False):
        """Ends the program: at the end of its input, or at once."""
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            process.terminate()
        try:
            process.stdin.close()
        except OSError:  # it is gone
            pass
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._reader.join()
        process.stdout.close()
        process.stderr.close()

    @property
    def said(self):
        """The last lines of the program's standard error: its settings at the start, warnings."""
        return "".join(self._said)

    def _write(self, lines):
        try:
            for line in lines:
                self._process.stdin.write(line)
            self._process.stdin.flush()
        except (OSError, ValueError):  # it ended: the answers say so
            pass

    def _ask(self, requests):
        if self._process is None:
            raise RunError("the translator is not running: use it in a 'with'")
        # Written beside reading: both pipes would fill up otherwise.
        writer = threading.Thread(target=self._write, args=([json.dumps(r) + "\n" for r in requests],))
        writer.start()
        answers = []
        for _ in requests:
            line = self._process.stdout.readline()
            if not line.endswith("\n"):
                code = self._process.wait()
                self._reader.join(10)
                writer.join()
                raise RunError(f"knnseq translate ended with exit code {code}:\n{self.said}")
            answers.append(json.loads(line))
        writer.join()
        return answers

    def translate(self, sentences, *, knn=None, trace=False, nbest=None, prefix=None, **settings):
        """Answers, as in docs/translate.md: dicts with `text` and `score`, and with `nbest` (how many) and
        `trace` (true, or {"neighbours": n, "candidates": m}) if asked for. One dict for one sentence (a
        str), else a list for a list. `knn=False`: the model alone. `settings`: k, nprobe, temperature,
        lambda_, mode, policy, tau, threshold. `prefix`: what the translation begins with, one for all or
        one for each. RequestError, with the program's words, for what it refuses."""
        if isinstance(sentences, str):
            return self.translate([sentences], knn=knn, trace=trace, nbest=nbest, prefix=prefix, **settings)[0]
        sentences = list(sentences)
        if settings and knn is not None:
            raise ValueError("knn is given with settings of its own: leave it out")
        common = {"trace": trace or None, "nbest": nbest,
                  "knn": {name.rstrip("_"): value for name, value in settings.items()} or knn}
        prefixes = [prefix] * len(sentences) if prefix is None or isinstance(prefix, str) else list(prefix)
        if len(prefixes) != len(sentences):
            raise ValueError(f"{len(prefixes)} prefixes for {len(sentences)} sentences")
        requests = [{"source": source, "prefix": start, **common} for source, start in zip(sentences, prefixes)]
        answers = self._ask([{name: value for name, value in request.items() if value is not None}
                             for request in requests])
        for number, answer in enumerate(answers):
            if "error" in answer:
                raise RequestError(f"sentence {number}: {answer['error']['message']}")
        return answers
