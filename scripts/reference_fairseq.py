"""An imported fairseq model (scripts/import_fairseq.py) in NumPy, float64, one sentence at a time: what
scripts/reference_knnmt.py compares with. Follows fairseq 0.12, fairseq/models/transformer."""
import json
import math

import numpy as np

import python_packages
import tensor_files
from run_files import RunError

PAD, EOS, UNK = 1, 2, 3
ACTIVATIONS = {"relu": lambda x: np.maximum(x, 0), "swish": lambda x: x / (1 + np.exp(-x)),
               "gelu": lambda x: x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2}


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def sinusoids(places, width):
    """[n, width] of places [n]: fairseq's SinusoidalPositionalEmbedding."""
    half = width // 2
    angles = places[:, None] * np.exp(np.arange(half) * -(math.log(10000) / (half - 1)))
    return np.concatenate([np.sin(angles), np.cos(angles), np.zeros((len(places), width % 2))], 1)


class FairseqModel:
    def __init__(self, folder):
        self.folder = folder
        self.config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.segmentation = json.loads((folder / "fairseq_tokenizer.json").read_text())["segmentation"]
        stored = tensor_files.read_safetensors(folder / "model.safetensors")
        if any(tensor.dtype == "BF16" for tensor in stored.values()):
            raise RunError(f"{folder}: its weights are bfloat16, which NumPy lacks")
        self.weights = {name: tensor.array().astype(np.float64) for name, tensor in stored.items()}
        self.start, self.activation = [EOS], ACTIVATIONS[self.config["activation_fn"]]

    # ---- layers ----

    def linear(self, name, x):
        y = x @ self.weights[name + ".weight"].T
        return y + self.weights[name + ".bias"] if name + ".bias" in self.weights else y

    def norm(self, name, x):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def attend(self, name, x, memory, heads, causal=False):
        def split(y):
            return y.reshape(len(y), heads, -1).swapaxes(0, 1)
        q = split(self.linear(name + ".q_proj", x))
        k, v = (split(self.linear(f"{name}.{part}_proj", memory)) for part in "kv")
        scores = q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])
        if causal:
            scores = np.where(np.tri(len(x), dtype=bool), scores, -np.inf)
        return self.linear(name + ".out_proj", (softmax(scores) @ v).swapaxes(0, 1).reshape(len(x), -1))

    def embed(self, side, tokens):
        config, tokens = self.config, np.asarray(tokens)
        shared = config["share_all_embeddings"]
        x = self.weights["encoder.embed_tokens.weight" if shared else f"{side}.embed_tokens.weight"][tokens]
        if not config["no_scale_embedding"]:
            x = x * math.sqrt(x.shape[1])
        places = np.arange(len(tokens)) + PAD + 1
        if not config["no_token_positional_embeddings"]:
            learned = f"{side}.embed_positions.weight"
            stored = config[side + "_learned_pos"]
            x = x + (self.weights[learned][places] if stored else sinusoids(places, x.shape[1]))
        return self.norm(side + ".layernorm_embedding", x) if config["layernorm_embedding"] else x

    def stack(self, side, x, memory=None):
        """(output, [input of fc1 of each layer], [output of each layer])."""
        config, inputs, outputs = self.config, [], []
        heads, pre = config[side + "_attention_heads"], config[side + "_normalize_before"]

        def block(norm, x, work):
            return x + work(self.norm(norm, x)) if pre else self.norm(norm, x + work(x))

        def feed_forward(prefix, x):
            inputs.append(x)
            return self.linear(prefix + "fc2", self.activation(self.linear(prefix + "fc1", x)))

        for layer in range(config[side + "_layers"]):
            own = f"{side}.layers.{layer}."
            x = block(own + "self_attn_layer_norm", x,
                      lambda y: self.attend(own + "self_attn", y, y, heads, causal=memory is not None))
            if memory is not None:
                x = block(own + "encoder_attn_layer_norm", x,
                          lambda y: self.attend(own + "encoder_attn", y, memory, heads))
            x = block(own + "final_layer_norm", x, lambda y: feed_forward(own, y))
            outputs.append(x)
        closing = config["decoder_final_norm"] if side == "decoder" else pre
        return self.norm(side + ".layer_norm", x) if closing else x, inputs, outputs

    # ---- what reference_knnmt.py asks for ----

    def teacher_force(self, source, target, key="ffn_in", layer=-1):
        """(vectors [n, d], log-probs [n, V], encoder's output [x, d]) at the n tokens of target."""
        encoded = self.stack("encoder", self.embed("encoder", source))[0]
        x, inputs, outputs = self.stack("decoder", self.embed("decoder", [*self.start, *target[:-1]]), encoded)
        tied = self.config["share_all_embeddings"] or self.config["share_decoder_input_output_embed"]
        owner = "encoder" if self.config["share_all_embeddings"] else "decoder"
        output = f"{owner}.embed_tokens.weight" if tied else "decoder.output_projection.weight"
        log_p = np.log(softmax(x @ self.weights[output].T))
        return (inputs if key == "ffn_in" else outputs)[layer], log_p, encoded

    def tokens_of(self, text):
        """Source tokens of a line, </s> included."""
        lines = (self.folder / "dict.source.txt").read_text(encoding="utf-8").splitlines()
        numbers = {line.rsplit(" ", 1)[0]: number for number, line in enumerate(lines, 4)}
        if self.segmentation == "bpe":
            python_packages.need("subword_nmt=subword-nmt")
            from subword_nmt.apply_bpe import BPE
            with open(self.folder / "source.codes", encoding="utf-8") as codes:
                text = BPE(codes).process_line(text)
        elif self.segmentation == "sentencepiece":
            python_packages.need("sentencepiece")
            import sentencepiece
            pieces = sentencepiece.SentencePieceProcessor(model_file=str(self.folder / "source.spm"))
            text = " ".join(pieces.encode(text, out_type=str))
        return [numbers.get(word, UNK) for word in text.split()] + [EOS]
