#!/usr/bin/env python3
"""Write a sentence-transformers model as the TorchScript archive that subset.encoder: torchscript takes.

    export_sentence_encoder.py MODEL_DIR OUT.pt

For models made of BERT with WordPiece, such as LaBSE: the directory as downloaded, with modules.json.
Tokeniser, Transformer, pooling (mean or CLS), dense layers and normalisation all become one script
with the method encode(sentences: List[str]) -> Tensor [sentences, d]. Weights are read from
model.safetensors or pytorch_model.bin without running any code of theirs. OUT.pt appears only after the
saved archive has been loaded again and given the same vectors.

Needs Python 3.11 with torch from PyPI (requirements-dev.txt has the version).
"""
import argparse
import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import Dict, List

import python_packages

python_packages.need("torch", "numpy")
import torch  # noqa: E402

import tensor_files  # noqa: E402

KEEP, REMOVE, SPACE, ISOLATE = 0, 1, 2, 3
CJK = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
       (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]  # as BERT has them
TRY = ["", "Ein Haus.", "Die Datei (1) ist geöffnet: „gut“, sagte er!", "日本語 text", "x" * 150]


class ExportError(Exception):
    """What the user is told in one line."""


def kind_of(code):
    """What BERT's tokeniser does with a character before words are looked at."""
    char = chr(code)
    category = unicodedata.category(char)
    if char in "\t\n\r" or category == "Zs":
        return SPACE
    if code in (0, 0xFFFD) or category.startswith("C"):
        return REMOVE
    if any(first <= code <= last for first, last in CJK):
        return ISOLATE
    ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ISOLATE if ascii_sign or category.startswith("P") else KEEP


def lowered(char):
    """The character in lower case without its accents."""
    return "".join(c for c in unicodedata.normalize("NFD", char.lower())
                   if unicodedata.category(c) != "Mn")


class WordPiece(torch.nn.Module):
    """BERT's tokeniser. TorchScript's strings are bytes, so characters are taken apart here."""

    def __init__(self, vocabulary, lower_case, most):
        super().__init__()
        self.vocabulary: Dict[str, int] = vocabulary
        self.most: int = most  # tokens of a sentence, with [CLS] and [SEP]
        self.unknown: int = vocabulary["[UNK]"]
        self.first: int = vocabulary["[CLS]"]
        self.last: int = vocabulary["[SEP]"]
        self.pad: int = vocabulary["[PAD]"]
        self.longest: int = max(len(word.encode()) for word in vocabulary)
        starts, kinds = [0], [kind_of(0)]
        for code in range(1, sys.maxunicode + 1):
            kind = kind_of(code)
            if kind != kinds[-1]:
                starts.append(code)
                kinds.append(kind)
        self.starts: List[int] = starts
        self.kinds: List[int] = kinds
        changed = {}
        if lower_case:
            for code in range(sys.maxunicode + 1):
                if not 0xD800 <= code <= 0xDFFF and lowered(chr(code)) != chr(code):
                    changed[chr(code)] = lowered(chr(code))
        self.lower: Dict[str, str] = changed if changed else {"": ""}

    def kind(self, code: int) -> int:
        low, high = 0, len(self.starts)
        while high - low > 1:
            middle = (low + high) // 2
            if self.starts[middle] <= code:
                low = middle
            else:
                high = middle
        return self.kinds[low]

    def words(self, text: str) -> List[str]:
        words: List[str] = []
        word = ""
        at = 0
        while at < len(text):
            byte = ord(text[at])
            size = 1
            code = byte
            if byte >= 240:
                size = 4
                code = byte & 7
            elif byte >= 224:
                size = 3
                code = byte & 15
            elif byte >= 192:
                size = 2
                code = byte & 31
            for i in range(1, size):
                if at + i < len(text):
                    code = code * 64 + (ord(text[at + i]) & 63)
            char = text[at:at + size]
            at += size
            kind = self.kind(code)
            if kind == 0:
                word += self.lower[char] if char in self.lower else char
            elif kind >= 2:
                if len(word) > 0:
                    words.append(word)
                word = ""
                if kind == 3:
                    words.append(char)
        if len(word) > 0:
            words.append(word)
        return words

    def pieces(self, word: str) -> List[int]:
        characters = 0
        for i in range(len(word)):
            if (ord(word[i]) & 192) != 128:
                characters += 1
        if characters > 100:
            return [self.unknown]
        pieces: List[int] = []
        at = 0
        while at < len(word):
            prefix = "##" if at > 0 else ""
            end = min(len(word), at + self.longest)
            found = -1
            while end > at and found < 0:
                piece = prefix + word[at:end]
                if piece in self.vocabulary:
                    found = self.vocabulary[piece]
                else:
                    end -= 1
            if found < 0:
                return [self.unknown]
            pieces.append(found)
            at = end
        return pieces

    def forward(self, text: str) -> List[int]:
        tokens = [self.first]
        for word in self.words(text):
            tokens += self.pieces(word)
        return tokens[:self.most - 1] + [self.last]


def plain_tokens(tokenizer, text):
    """What WordPiece makes of a text, from characters instead of bytes: to check the script by."""
    split = ""
    for char in text:
        kind = kind_of(ord(char))
        char = tokenizer.lower.get(char, char)
        split += {KEEP: char, REMOVE: "", SPACE: " ", ISOLATE: f" {char} "}[kind]
    tokens = [tokenizer.first]
    for word in split.split(" "):
        pieces, at = [], 0
        while at < len(word):
            prefix = "##" if at else ""
            end = next((end for end in range(len(word), at, -1)
                        if prefix + word[at:end] in tokenizer.vocabulary), None)
            if end is None or len(word) > 100:
                pieces = [tokenizer.unknown]
                break
            pieces.append(tokenizer.vocabulary[prefix + word[at:end]])
            at = end
        tokens += pieces
    return tokens[:tokenizer.most - 1] + [tokenizer.last]


class Layer(torch.nn.Module):
    """One layer of BERT."""

    def __init__(self, weights, name, config):
        super().__init__()
        self.heads: int = config["num_attention_heads"]
        attention = f"{name}.attention."
        self.query = linear(weights, attention + "self.query")
        self.key = linear(weights, attention + "self.key")
        self.value = linear(weights, attention + "self.value")
        self.out = linear(weights, attention + "output.dense")
        self.norm = layer_norm(weights, attention + "output.LayerNorm", config)
        self.inner = linear(weights, f"{name}.intermediate.dense")
        self.outer = linear(weights, f"{name}.output.dense")
        self.last_norm = layer_norm(weights, f"{name}.output.LayerNorm", config)

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.size(0), x.size(1), self.heads, -1).transpose(1, 2)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = q @ k.transpose(2, 3) / float(q.size(3)) ** 0.5 + mask
        mixed = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(x.size(0), x.size(1), -1)
        x = self.norm(x + self.out(mixed))
        return self.last_norm(x + self.outer(torch.nn.functional.gelu(self.inner(x))))


class Encoder(torch.nn.Module):
    """Tokeniser, BERT, and what makes one vector of its output."""

    def __init__(self, tokenizer, weights, config, head):
        super().__init__()
        self.tokenizer = tokenizer
        self.words = embedding(weights, "embeddings.word_embeddings")
        self.positions = embedding(weights, "embeddings.position_embeddings")
        self.types = embedding(weights, "embeddings.token_type_embeddings")
        self.norm = layer_norm(weights, "embeddings.LayerNorm", config)
        self.layers = torch.nn.ModuleList(
            Layer(weights, f"encoder.layer.{i}", config) for i in range(config["num_hidden_layers"]))
        self.cls: bool = head["cls"]
        self.dense = torch.nn.ModuleList(head["dense"])
        self.normalise: bool = head["normalise"]

    def forward(self, sentences: List[str]) -> torch.Tensor:
        return self.encode(sentences)

    @torch.jit.export
    def encode(self, sentences: List[str]) -> torch.Tensor:
        tokens: List[List[int]] = []
        for sentence in sentences:
            tokens.append(self.tokenizer(sentence))
        return self.vectors(tokens)

    @torch.jit.export
    def vectors(self, tokens: List[List[int]]) -> torch.Tensor:
        longest = 0
        for of_sentence in tokens:
            longest = max(longest, len(of_sentence))
        ids = torch.full([len(tokens), longest], self.tokenizer.pad)
        there = torch.zeros([len(tokens), longest])
        for i, of_sentence in enumerate(tokens):
            ids[i, :len(of_sentence)] = torch.tensor(of_sentence)
            there[i, :len(of_sentence)] = 1.0
        x = self.words(ids) + self.positions(torch.arange(longest)) + self.types.weight[0]
        x = self.norm(x)
        mask = (1.0 - there)[:, None, None, :] * -1e30
        for layer in self.layers:
            x = layer(x, mask)
        if self.cls:
            vectors = x[:, 0]
        else:
            vectors = (x * there[:, :, None]).sum(1) / there.sum(1, keepdim=True)
        for dense in self.dense:
            vectors = dense(vectors)
        if self.normalise:
            vectors = torch.nn.functional.normalize(vectors, 2.0, 1)
        return vectors.contiguous()


def to_torch(tensor):
    array = tensor.array()
    if tensor.dtype == "BF16":
        return torch.from_numpy(array.view("int16")).view(torch.bfloat16).float()
    made = torch.from_numpy(array)
    return made.float() if made.is_floating_point() else made


def parameter(weights, name):
    if name not in weights:
        raise ExportError(f"the weights have no tensor {name}")
    return torch.nn.Parameter(weights[name], requires_grad=False)


def linear(weights, name, bias=True):
    made = torch.nn.utils.skip_init(torch.nn.Linear, 1, 1, bias=bias)
    made.weight = parameter(weights, name + ".weight")
    if bias:
        made.bias = parameter(weights, name + ".bias")
    return made


def layer_norm(weights, name, config):
    scale = parameter(weights, name + ".weight")
    made = torch.nn.LayerNorm(scale.shape[0], eps=config["layer_norm_eps"])
    made.weight, made.bias = scale, parameter(weights, name + ".bias")
    return made


def embedding(weights, name):
    return torch.nn.Embedding.from_pretrained(parameter(weights, name + ".weight"))


def read_json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ExportError(f"{path}: {error}") from error


def read_weights(folder):
    """Tensors of a folder by name, in float32, without the prefix that some models have."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        path = folder / name
        if not path.exists():
            continue
        tensors = (tensor_files.read_safetensors if name.endswith("safetensors")
                   else tensor_files.read_checkpoint)(path)
        return {key.removeprefix("bert."): to_torch(tensor) for key, tensor in tensors.items()}
    raise ExportError(f"{folder}: has neither model.safetensors nor pytorch_model.bin")


def require(holds, message):
    if not holds:
        raise ExportError(message)


def read_head(folder, modules):
    """The output of the modules after the Transformer."""
    head = {"cls": None, "dense": [], "normalise": False}
    for module in modules[1:]:
        kind = module["type"].split(".")[-1]
        path = folder / module["path"]
        if kind == "Pooling":
            config = read_json(path / "config.json")
            modes = [key for key, value in config.items()
                     if key.startswith("pooling_mode_") and value is True]
            if "pooling_mode" in config:  # as newer versions write it
                modes = ["pooling_mode_" + {"cls": "cls_token", "mean": "mean_tokens"}.get(
                    config["pooling_mode"], config["pooling_mode"])]
            require(modes in (["pooling_mode_cls_token"], ["pooling_mode_mean_tokens"]),
                    f"{path}: pooling {modes} is not supported, only the mean or CLS")
            head["cls"] = modes == ["pooling_mode_cls_token"]
        elif kind == "Dense":
            config = read_json(path / "config.json")
            activation = config["activation_function"].split(".")[-1]
            require(activation in ("Tanh", "Identity"), f"{path}: {activation} is not supported")
            layer = linear(read_weights(path), "linear", config.get("bias", True))
            head["dense"].append(torch.nn.Sequential(
                layer, torch.nn.Tanh() if activation == "Tanh" else torch.nn.Identity()))
        elif kind == "Normalize":
            head["normalise"] = True
        else:
            raise ExportError(f"modules.json: {module['type']} is not supported")
    require(head["cls"] is not None, "modules.json: there is no Pooling")
    return head


def build(folder):
    modules = read_json(folder / "modules.json")
    require(modules and modules[0]["type"].split(".")[-1] == "Transformer",
            "modules.json: does not begin with a Transformer")
    transformer = folder / modules[0]["path"]
    config = read_json(transformer / "config.json")
    require(config.get("model_type") == "bert" and config.get("hidden_act") == "gelu",
            f"{transformer}: is not a BERT with gelu")
    require(config.get("position_embedding_type", "absolute") == "absolute",
            f"{transformer}: positions are not absolute")
    require((transformer / "vocab.txt").exists(), f"{transformer}: has no vocab.txt (WordPiece)")
    lines = (transformer / "vocab.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = {word: i for i, word in enumerate(lines) if word}
    missing = [word for word in ("[PAD]", "[UNK]", "[CLS]", "[SEP]") if word not in vocabulary]
    require(not missing, f"{transformer / 'vocab.txt'}: has no {', '.join(missing)}")
    settings = {"do_lower_case": True}  # BERT's default
    if (transformer / "tokenizer_config.json").exists():
        settings.update(read_json(transformer / "tokenizer_config.json"))
    most = config["max_position_embeddings"]
    if (transformer / "sentence_bert_config.json").exists():
        most = min(most, read_json(transformer / "sentence_bert_config.json").get("max_seq_length")
                   or most)
    tokenizer = WordPiece(vocabulary, settings["do_lower_case"], most)
    return Encoder(tokenizer, read_weights(transformer), config, read_head(folder, modules)).eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model", type=Path, help="sentence-transformers directory")
    parser.add_argument("out", type=Path, help="the archive to be written")
    args = parser.parse_args()
    partial = args.out.with_name(args.out.name + ".partial")
    try:
        with torch.no_grad():
            encoder = build(args.model)
            expected = encoder.vectors([plain_tokens(encoder.tokenizer, text) for text in TRY])
            torch.jit.save(torch.jit.script(encoder), str(partial))
            made = torch.jit.load(str(partial)).encode(TRY)
        require(made.shape == expected.shape and torch.allclose(made, expected, atol=1e-5),
                "the archive gives other vectors than the model")
        os.replace(partial, args.out)
    except (ExportError, tensor_files.FileError) as error:
        sys.exit(f"export_sentence_encoder.py: {error}")
    finally:
        partial.unlink(missing_ok=True)
    print(f"{args.out}: sentences to vectors of {expected.shape[1]} numbers")


if __name__ == "__main__":
    main()
