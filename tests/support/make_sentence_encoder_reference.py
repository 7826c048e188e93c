#!/usr/bin/env python3
"""Write tests/data/sentence_encoder/: a tiny random sentence encoder and the vectors it must give.

model.pt is what scripts/export_sentence_encoder.py makes of a random cased BERT with WordPiece, mean
pooling, a dense layer and normalisation (LaBSE's form); expected.json holds texts and their vectors as
transformers and tokenizers compute them. An uncased one with CLS pooling is compared and not kept.

Needs the packages of scripts/requirements-dev.txt.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import safetensors.torch
import torch
import transformers

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    "", " ", "Ein Haus.", "ein haus", "Die Datei ist geöffnet: „gut“, sagte er!", "Öffnen (Strg+O)",
    "ta\tb\r\nc\u00a0d\u3000e", "日本語 text", "naïve café Straße ẞ ÉÈ e\u0301", "\u200b\ufeffHaus\u0001!",
    "unaffable Hauses Hausen", "Haus" * 30, "a b " * 40, "😀 ok 👩‍👩‍👧", "x" * 100, "x" * 101, "$5 <b> a_b ~ `",
]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "Haus", "##es", "##en", "Ein", "ein", "haus", "Die", "Datei",
         "ist", "ge", "##ö", "##ffnet", "sagte", "er", "gut", "un", "##aff", "##able", "日", "本", "Str", "##g",
         "caf", "##é", "##e", "cafe", "naive", "##t", "text", "ok", "##Haus", "##haus", "##x", "x"]
WIDTH, MOST = 16, 40


def write_model(folder, lower_case, cls):
    torch.manual_seed(3)
    vocabulary = WORDS + list("abcdefghijklmnopqrstuvwyz!\"$()+,.:;<>_`~„“") + ["##b", "##c"]
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=24, max_position_embeddings=64, attn_implementation="eager")
    model = transformers.BertModel(config, add_pooling_layer=False).eval()
    for tensor in model.parameters():
        torch.nn.init.normal_(tensor, std=0.4)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    write = lambda name, value: (folder / name).write_text(json.dumps(value), encoding="utf-8")
    write("tokenizer_config.json", {"do_lower_case": lower_case})
    write("sentence_bert_config.json", {"max_seq_length": MOST})
    modules = ["Transformer", "Pooling", "Dense", "Normalize"]
    write("modules.json", [{"idx": i, "name": str(i), "path": f"{i}_{name}" if i else "",
                            "type": f"sentence_transformers.models.{name}"}
                           for i, name in enumerate(modules)])
    for i, name in enumerate(modules[1:], 1):
        (folder / f"{i}_{name}").mkdir()
    write("1_Pooling/config.json", {"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": cls,
                                    "pooling_mode_mean_tokens": not cls})
    write("2_Dense/config.json", {"in_features": WIDTH, "out_features": 8, "bias": True,
                                  "activation_function": "torch.nn.modules.activation.Tanh"})
    dense = torch.nn.Linear(WIDTH, 8)
    safetensors.torch.save_file({"linear.weight": dense.weight.detach(),
                                 "linear.bias": dense.bias.detach()},
                                folder / "2_Dense" / "model.safetensors")
    return model, dense


def reference(folder, model, dense, lower_case, cls):
    """Vectors of all texts, one at a time, by transformers."""
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=lower_case)
    vectors = []
    for text in TEXTS:
        tokens = tokenizer(text, truncation=True, max_length=MOST, return_tensors="pt")
        states = model(**tokens).last_hidden_state[0]
        pooled = states[0] if cls else states.mean(0)
        vectors.append(torch.nn.functional.normalize(torch.tanh(dense(pooled)), dim=0))
    return torch.stack(vectors)


def main():
    out = ROOT / "tests" / "data" / "sentence_encoder"
    out.mkdir(exist_ok=True)
    for lower_case, cls in ((True, True), (False, False)):  # the last one is kept
        with tempfile.TemporaryDirectory() as name, torch.no_grad():
            folder = Path(name)
            model, dense = write_model(folder, lower_case, cls)
            subprocess.run([sys.executable, ROOT / "scripts" / "export_sentence_encoder.py", folder,
                            out / "model.pt"], check=True)
            expected = reference(folder, model, dense, lower_case, cls)
            made = torch.jit.load(str(out / "model.pt")).encode(TEXTS)
            worst = (made - expected).abs().max(1).values
            print("largest difference", worst.max().item(), [t for t, w in zip(TEXTS, worst) if w > 1e-5])
            if worst.max() > 1e-5:
                sys.exit("the archive is not the model")
    (out / "expected.json").write_text(json.dumps(
        {"texts": TEXTS, "vectors": [[round(x, 7) for x in row] for row in expected.tolist()]},
        ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
