"""Corpora, test sets and models that are compressed, encoded otherwise, or something else altogether."""
import bz2
import gzip
import io
import lzma
import os
import shutil
import struct
import tarfile
import unittest
import zipfile

from refusals import Case, RefusalTest

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:12ab\nsize 240000000\n"


def zstd(data):
    """One frame of blocks that are stored as they are (RFC 8878)."""
    frame = struct.pack("<IBI", 0xFD2FB528, 0b1010_0000, len(data))
    blocks = [data[at:at + 100_000] for at in range(0, len(data), 100_000)]
    for i, block in enumerate(blocks):
        last = i + 1 == len(blocks)
        frame += (len(block) << 3 | last).to_bytes(3, "little") + block
    return frame


def zipped(data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("corpus.de", data)
    return out.getvalue()


def tarred(data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo("corpus.de")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


class ForeignInput(RefusalTest):
    def pack(self, name, *packers):
        """Replaces a text by its parts, each packed by one of these, in one file."""
        lines = self.lines(name)
        share = -(-len(lines) // len(packers))
        parts = [b"".join(lines[i * share:(i + 1) * share]) for i in range(len(packers))]
        (self.folder / name).write_bytes(b"".join(pack(part) for pack, part in zip(packers, parts)))

    def test_compressed_text_is_read_as_its_content(self):
        plain = {name: (self.folder / name).read_bytes() for name in ("corpus.de", "corpus.en", "test.de", "test.en")}
        self.run_stage("partition")
        self.run_stage("decode base")
        before = self.digest("corpus/*.h5", "decode/base/*.txt")
        xz = lzma.compress
        for source, target in (((xz, xz), (bz2.compress,)), ((zstd, zstd, zstd), (gzip.compress, gzip.compress))):
            with self.subTest(source=source, target=target):
                for name, content in plain.items():
                    (self.folder / name).write_bytes(content)
                for side in ("corpus", "test"):
                    self.pack(f"{side}.de", *source)
                    self.pack(f"{side}.en", *target)
                shutil.rmtree(self.folder / "run")
                self.run_stage("partition", ranks=3)
                self.run_stage("decode base")
                self.assertEqual(self.digest("corpus/*.h5", "decode/base/*.txt"), before)

    def test_what_is_no_text_is_called_so(self):
        plain = (self.folder / "corpus.de").read_bytes()
        text = plain.decode()
        write = lambda data, name="corpus.de": lambda test: (self.folder / name).write_bytes(data)
        invalid = "ungültig\n".encode("latin-1")
        self.check((
            Case("partition", "corpus.de: is a zip archive; unpack it first", edit=write(zipped(plain)), ranks=2),
            Case("partition", "corpus.de: holds what is a tar archive", edit=write(tarred(plain))),
            Case("partition", "corpus.de: holds what is compressed by gzip", edit=write(bz2.compress(gzip.compress(plain)))),
            Case("partition", "corpus.en: is text in UTF-16, and must be UTF-8; convert it with iconv -f UTF-16",
                 edit=write(text.encode("utf-16"), "corpus.en")),
            Case("partition", "corpus.de: is text in UTF-16LE", edit=write(text.encode("utf-16-le"))),
            Case("partition", "corpus.de: is text in UTF-32BE", edit=write(text.encode("utf-32-be"))),
            Case("partition", "corpus.de: is text whose lines end in carriage returns alone",
                 edit=write(plain.replace(b"\n", b"\r"))),
            Case("partition", "corpus.de: is a pointer of git-lfs", edit=write(LFS_POINTER)),
            Case("partition", "corpus.de: is a web page", edit=write(b"<!DOCTYPE html>\n<title>Not found</title>\n")),
            Case("partition", "corpus.de: is not text: it is full of NUL", edit=write(b"\x01\0\0\0\0\x07" * 5000)),
            Case("partition", "corpus.de: xz file is truncated", edit=write(lzma.compress(plain)[:-20]), ranks=2),
            Case("partition", "corpus.de: bzip2 file is damaged", edit=write(bz2.compress(plain) + b"more of it"), ranks=2),
            Case("partition", "corpus: holds no usable sentence pair: of 700 pairs 650 are left out for: invalid text "
                 f"(not UTF-8, or with NUL); the first is {self.folder}/corpus.de:51",
                 edit=lambda test: (write(b"\n" * 50 + invalid * 650)(test)), ranks=3),
            Case("partition", f"{self.folder}/corpus.de:4: empty source", ("corpus.bad_pairs=stop",),
                 edit=lambda test: (test.put_line("corpus.de", 4, b""), test.pack("corpus.de", lzma.compress))),
            Case("partition", "corpus: holds no usable sentence pair: it has no lines",
                 edit=lambda test: [write(gzip.compress(b""), f"corpus.{side}")(test) for side in ("de", "en")]),
            Case("decode base", "test.de: is a zip archive", edit=write(zipped(plain), "test.de")),
            Case("decode base", "test.en: is text in UTF-16", edit=write(text.encode("utf-16"), "test.en")),
            Case("decode base", "test.de:1: the line has more than 1048576 bytes",
                 edit=write(bz2.compress(b"x" * 100_000_000), "test.de")),
            Case("decode base", "test.de:10000001: here the text has more than 10000000 lines",
                 edit=write(lzma.compress(b"\n" * 50_000_000, preset=0), "test.de")),
        ))

    def test_models_and_configs_that_are_no_files_of_their_kind(self):
        def model(change):
            return lambda test: change(test.copy_model())
        def replace(name, content):
            return model(lambda other: (other / name).write_bytes(content))
        def pipe(name):
            def change(other):
                (other / name).unlink(missing_ok=True)
                os.mkfifo(other / name)
            return model(change)
        def weight(name, value):
            """One number of a tensor becomes another."""
            def change(other):
                weights = bytearray((other / "model.safetensors").read_bytes())
                length = struct.unpack("<Q", weights[:8])[0]
                begin = weights.index(b'"%s"' % name.encode(), 8, 8 + length)
                offset = int(weights[weights.index(b'"data_offsets":[', begin) + 16:].split(b",", 1)[0])
                weights[8 + length + offset:8 + length + offset + 2] = struct.pack("<e", value)
                (other / "model.safetensors").write_bytes(weights)
            return model(change)
        self.run_stage("partition")
        self.check((
            Case("partition", "config.json: is not a regular file but a pipe", edit=pipe("config.json")),
            Case("partition", "generation_config.json: is not a regular file but a pipe",
                 edit=pipe("generation_config.json"), ranks=2),
            Case("partition", "source.spm: is not a regular file but a pipe", edit=pipe("source.spm")),
            Case("encode", "model.safetensors: is not a regular file but a pipe", edit=pipe("model.safetensors")),
            Case("partition", "/dev/zero: is not a regular file but a device",
                 edit=lambda test: test.add_config("include: /dev/zero\n")),
            Case("partition", "/dev/zero: is not a regular file but a device", arguments=("--config", "/dev/zero")),
            Case("partition", "/dev/zero: is not a regular file but a device", ("corpus.source=/dev/zero",)),
            Case("partition", "vocab.json: is a pointer of git-lfs", edit=replace("vocab.json", LFS_POINTER)),
            Case("partition", "source.spm: is a pointer of git-lfs", edit=replace("source.spm", LFS_POINTER)),
            Case("encode", "model.safetensors: is a pointer of git-lfs", edit=replace("model.safetensors", LFS_POINTER)),
            Case("encode", "model.safetensors: is a web page", edit=replace("model.safetensors", b"<html>Not found")),
            Case("encode", "convert it with scripts/to_safetensors.py", edit=replace("model.safetensors", zipped(b"x"))),
            Case("encode", "tensor 'model.encoder.layers.0.fc1.weight': holds NaN",
                 edit=weight("model.encoder.layers.0.fc1.weight", float("nan")), ranks=2),
            Case("decode base", "tensor 'final_logits_bias': holds an infinite number",
                 edit=weight("final_logits_bias", float("inf"))),
        ))


if __name__ == "__main__":
    unittest.main()
