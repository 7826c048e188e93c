"""Tiny Hugging Face models in directories as a person downloads them."""
import contextlib
import io
import json
import random
import shutil
import tempfile
from pathlib import Path

import sentencepiece
import torch
import transformers
from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES as M2M100_CODES
from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES as NLLB_CODES

ROOT = Path(__file__).resolve().parents[2]
SHAPE = {"d_model": 24, "encoder_layers": 3, "decoder_layers": 2, "encoder_attention_heads": 4,
         "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 40,
         "max_position_embeddings": 64, "dropout": 0.0, "attention_dropout": 0.0,
         "init_std": 0.15}
STEPS, BATCH = 1000, 32
# A part of SentencePiece's nmt_nfkc, whose table alone would take 240 KB (code points).
RULES = [("FF21", "41"), ("FF12", "32"), ("FB01", "66 69"), ("2026", "2E 2E 2E"),
         ("BD", "31 2F 32"), ("61 308", "E4"), ("65 301", "E9"), ("2160", "49"), ("B2", "32"), ("9", "20"), ("A", "20"),
         ("A0", "20"), ("3000", "20"), ("2028", "20"), ("200B", "20"), ("FEFF", "20"), ("AD", ""),
         ("1", ""), ("7F", "")]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>",
            "pad_token": "<pad>"}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def train_pieces(path, columns, size, kind):
    """A SentencePiece model of `size` pieces from columns (0 German, 1 English) of test.tsv."""
    rows = (ROOT / "models/demo-de-en/test.tsv").read_text(encoding="utf-8").split("\n")[:1500]
    cells = [row.split("\t")[column] for row in rows for column in columns]
    made = io.BytesIO()
    # SentencePiece stores the names of files it reads, so they are relative.
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        Path("rules.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in RULES), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(cells), model_writer=made, vocab_size=size, model_type=kind,
            character_coverage=0.999, minloglevel=2, num_threads=1,
            normalization_rule_tsv="rules.tsv")
    path.write_bytes(made.getvalue())
    return sentencepiece.SentencePieceProcessor(str(path))


def scatter_norms(model):
    """Layer norms and biases that matter from the start."""
    for name, weight in model.named_parameters():
        if weight.dim() == 1:
            centre = 1.0 if name.endswith("norm.weight") else 0.0
            weight.data = centre + 0.2 * torch.randn_like(weight)


def train(model, source_words, target_words, prefix=(), suffix=(), forced=()):
    """Teaches the model a little of a made-up language: each word has one translation, and every
    third word none. Distributions become peaky, lengths follow the source, and EOS is learnt.
    The arguments are as in model_reference.Framework.
    """
    scatter_norms(model)
    rng, eos = random.Random(1), model.config.eos_token_id
    translation = {word: rng.choice(target_words) for word in source_words if word % 3}
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with torch.enable_grad():
        for _ in range(STEPS):
            length = rng.randint(1, 20)
            sources = [[rng.choice(source_words) for _ in range(length)] for _ in range(BATCH)]
            targets = [[*forced, *(translation[word] for word in source if word % 3), eos]
                       for source in sources]
            longest = max(map(len, targets))
            labels = torch.tensor([ids + [-100] * (longest - len(ids)) for ids in targets])
            start = torch.full((BATCH, 1), model.config.decoder_start_token_id)
            given = torch.cat([start, labels[:, :-1].clamp(min=0)], 1)
            loss = model(input_ids=torch.tensor([[*prefix, *ids, *suffix] for ids in sources]),
                         decoder_input_ids=given, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"loss {loss.item():.2f}")


def save_model(model, folder, dtype, **options):
    model.to(dtype).save_pretrained(folder, **options)
    folder.joinpath("README.md").unlink(missing_ok=True)


def numbered(pieces):
    return [pieces.id_to_piece(i) for i in range(pieces.get_piece_size())]


def marian_vocabulary(pieces, size):
    """</s> 0, <unk> 1, <pad> size - 1, more pieces after it."""
    own = [piece for piece in numbered(pieces) if piece not in ("<s>", "</s>", "<unk>")]
    order = ["</s>", "<unk>"] + own[:size - 3] + ["<pad>"] + own[size - 3:]
    return {piece: number for number, piece in enumerate(order)}


def marian_config(source, target, **options):
    pad = source["<pad>"]
    return transformers.MarianConfig(
        vocab_size=len(source), decoder_vocab_size=len(target), pad_token_id=pad,
        decoder_start_token_id=pad, eos_token_id=0, bos_token_id=0, forced_eos_token_id=None,
        scale_embedding=True, **(SHAPE | options))


def finish_marian(folder, model, separate):
    pad = model.config.pad_token_id
    model.generation_config = transformers.GenerationConfig(
        bad_words_ids=[[pad]], decoder_start_token_id=pad, eos_token_id=0, forced_eos_token_id=0,
        pad_token_id=pad, bos_token_id=0, max_length=64, num_beams=4, renormalize_logits=True)
    write_json(folder / "tokenizer_config.json",
               {"source_lang": "deu", "target_lang": "eng", "unk_token": "<unk>",
                "eos_token": "</s>", "pad_token": "<pad>", "model_max_length": 512,
                "sp_model_kwargs": {}, "separate_vocabs": separate,
                "tokenizer_class": "MarianTokenizer"})
    write_json(folder / "special_tokens_map.json",
               {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"})


def marian_separate(folder):
    """Separate vocabularies and embeddings, as in OPUS-MT's later models."""
    source = marian_vocabulary(train_pieces(folder / "source.spm", [0], 110, "unigram"), 110)
    target = marian_vocabulary(train_pieces(folder / "target.spm", [1], 131, "unigram"), 110)
    write_json(folder / "vocab.json", source)
    write_json(folder / "target_vocab.json", target)
    model = transformers.MarianMTModel(marian_config(
        source, target, share_encoder_decoder_embeddings=False, activation_function="swish"))
    words = range(2, source["<pad>"])
    train(model, words, words, suffix=[0])
    finish_marian(folder, model, True)
    save_model(model, folder, torch.float16)


def marian_sharded(folder):
    """One vocabulary; weights in several files with an index."""
    pieces = train_pieces(folder / "source.spm", [0, 1], 150, "unigram")
    shutil.copy(folder / "source.spm", folder / "target.spm")
    vocabulary = marian_vocabulary(pieces, 150)
    write_json(folder / "vocab.json", vocabulary)
    model = transformers.MarianMTModel(marian_config(
        vocabulary, vocabulary, activation_function="gelu", encoder_layers=2))
    words = range(2, vocabulary["<pad>"])
    train(model, words, words, suffix=[0])
    finish_marian(folder, model, False)
    save_model(model, folder, torch.float32, max_shard_size="40KB")


def m2m100_model(vocab_size, first_language, source_language, target_language):
    """Languages as positions after first_language, where the words end."""
    model = transformers.M2M100ForConditionalGeneration(transformers.M2M100Config(
        vocab_size=vocab_size, encoder_layerdrop=0.0, decoder_layerdrop=0.0, **SHAPE))
    words = range(4, first_language)
    train(model, words, words, prefix=[first_language + source_language], suffix=[2],
          forced=[first_language + target_language])
    return model


def m2m100(folder):
    pieces = train_pieces(folder / "sentencepiece.bpe.model", [0, 1], 140, "bpe")
    words = [piece for piece in numbered(pieces) if piece not in ("<s>", "</s>", "<unk>")]
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>"] + words
    write_json(folder / "vocab.json", {piece: i for i, piece in enumerate(vocabulary)})
    write_json(folder / "tokenizer_config.json",
               {"src_lang": None, "tgt_lang": None, **SPECIAL, "language_codes": "m2m100",
                "num_madeup_words": 8, "sp_model_kwargs": {}, "model_max_length": 1024,
                "special_tokens_map_file": "m2m100/special_tokens_map.json",
                "tokenizer_class": "M2M100Tokenizer"})
    write_json(folder / "special_tokens_map.json", SPECIAL | {
        "additional_special_tokens": [f"__{code}__" for code in M2M100_CODES["m2m100"]]})
    codes = M2M100_CODES["m2m100"]
    model = m2m100_model(len(vocabulary) + len(codes) + 8, len(vocabulary), codes.index("de"),
                         codes.index("en"))
    model.generation_config = transformers.GenerationConfig(
        bos_token_id=0, decoder_start_token_id=2, early_stopping=True, eos_token_id=2,
        max_length=200, num_beams=5, pad_token_id=1)
    save_model(model, folder, torch.bfloat16)


def nllb(folder):
    pieces = train_pieces(folder / "sentencepiece.bpe.model", [0, 1], 140, "bpe")
    added = {"content": "<mask>", "single_word": False, "lstrip": True, "rstrip": False,
             "normalized": True}
    write_json(folder / "special_tokens_map.json", SPECIAL | {
        "cls_token": "<s>", "mask_token": added, "additional_special_tokens": NLLB_CODES})
    write_json(folder / "tokenizer_config.json", SPECIAL | {
        "cls_token": "<s>", "mask_token": {"__type": "AddedToken", **added}, "src_lang": None,
        "tgt_lang": None, "model_max_length": 1024, "sp_model_kwargs": {},
        "special_tokens_map_file": None, "tokenizer_class": "NllbTokenizer"})
    write_fast_nllb(folder, pieces)
    words = pieces.get_piece_size() + 1
    model = m2m100_model(words + len(NLLB_CODES) + 3, words, NLLB_CODES.index("deu_Latn"),
                         NLLB_CODES.index("eng_Latn"))
    model.generation_config = transformers.GenerationConfig(
        bos_token_id=0, decoder_start_token_id=2, eos_token_id=2, max_length=200, pad_token_id=1)
    save_model(model, folder, torch.float16)


def write_fast_nllb(folder, pieces):
    """tokenizer.json as the published models have it: languages and <mask> after the pieces."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("sentencepiece.bpe.model", "tokenizer_config.json"):
            shutil.copy(folder / name, scratch)
        write_json(Path(scratch) / "config.json", {"model_type": "m2m_100"})
        transformers.NllbTokenizer.from_pretrained(scratch).save_pretrained(scratch)
        fast = json.loads((Path(scratch) / "tokenizer.json").read_text(encoding="utf-8"))
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    order = specials + numbered(pieces)[3:] + NLLB_CODES + ["<mask>"]
    fast["model"]["vocab"] = {token: number for number, token in enumerate(order)}
    fast["added_tokens"] = [
        {"id": number, "content": token, "single_word": False, "lstrip": token == "<mask>",
         "rstrip": False, "normalized": token == "<mask>", "special": True}
        for number, token in enumerate(order) if token in specials or number >= len(order) - 203]
    write_json(folder / "tokenizer.json", fast)


MAKERS = {"marian-separate": marian_separate, "marian-sharded": marian_sharded, "m2m100": m2m100,
          "nllb": nllb}


def make(name, folder):
    """Makes the model directory anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    random.seed(0)
    MAKERS[name](folder)
