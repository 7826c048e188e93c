"""Read PyTorch checkpoints without PyTorch and without running what they hold; read and write
safetensors files. NumPy is all that is needed.

read_checkpoint(path) takes the zip format (PyTorch 1.6 on) and the one before it. A checkpoint is
a pickle, which can name any function to be called. Here only tensors and plain containers are
rebuilt; every other class or function becomes a Placeholder that records what it was given, and
nothing is executed. plain(value) makes dicts and lists of placeholders for argparse.Namespace,
omegaconf containers and enums.

A Tensor is a view of bytes of its file, which is mapped; only array() copies them. bfloat16, which
NumPy lacks, comes as uint16 bits with dtype "BF16".
"""
import json
import mmap
import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import python_packages

python_packages.need("numpy")
import numpy as np  # noqa: E402

NUMPY_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16,
               "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8,
               "BOOL": np.bool_}
STORAGE_TYPES = {"DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16",
                 "BFloat16Storage": "BF16", "LongStorage": "I64", "IntStorage": "I32",
                 "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
                 "BoolStorage": "BOOL"}
LEGACY_MAGIC, LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
LONGEST_HEADER = 100_000_000  # bytes of a safetensors header, as in its own implementation


class FileError(Exception):
    """What is wrong with a file, in one line that names it."""


def itemsize(dtype):
    return np.dtype(NUMPY_TYPES[dtype]).itemsize


@dataclass
class Storage:
    """`count` elements in the mapped file from byte `start` on."""
    file: "mmap.mmap"
    dtype: str
    count: int
    start: int = -1


@dataclass
class PartOfStorage:
    """Elements [first, first + count) of a storage."""
    whole: Storage
    first: int
    count: int


@dataclass(frozen=True)
class Tensor:
    """A strided view; offset and strides are in elements."""
    storage: Storage
    offset: int
    shape: tuple
    strides: tuple

    @property
    def dtype(self):
        return self.storage.dtype

    @property
    def nbytes(self):
        return itemsize(self.dtype) * int(np.prod(self.shape, dtype=np.int64))

    def first(self):
        """The first element as a float."""
        value = self.array().reshape(-1)[:1]
        if self.dtype == "BF16":
            value = (value.astype(np.uint32) << 16).view(np.float32)
        return float(value[0]) if value.size else 0.0

    def rows(self, first, end):
        """The view [first:end] of the first dimension."""
        return replace(self, offset=self.offset + first * self.strides[0],
                       shape=(end - first, *self.shape[1:]))

    def array(self):
        """A contiguous copy."""
        kind, stored = np.dtype(NUMPY_TYPES[self.dtype]), self.storage
        if 0 in self.shape:
            return np.empty(self.shape, kind)
        flat = np.frombuffer(stored.file, kind, stored.count - self.offset,
                             stored.start + self.offset * kind.itemsize)
        steps = [step * kind.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(flat, self.shape, steps, writeable=False).copy()


def contiguous(storage, shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return Tensor(storage, 0, tuple(shape), tuple(strides))


def map_file(path):
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise FileError(f"{path}: is empty")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


# ---- pickles ----

class Placeholder:
    """Stands for an object of a class that is not known here: `path` is the class's name."""
    path = ""

    def __new__(cls, *args, **_):
        made = object.__new__(cls)
        made.args, made.state, made.content = args, None, []
        return made

    def __init__(self, *_, **__):
        pass

    def __setstate__(self, state):
        self.state = state

    def __setitem__(self, key, value):
        self.content.append((key, value))

    def append(self, value):
        self.content.append(value)

    add = append

    def extend(self, values):
        self.content.extend(values)

    def __repr__(self):
        return f"<{self.path}>"


def rebuilt_tensor(storage, offset, shape, strides, *_):
    """What torch._utils._rebuild_tensor and _rebuild_tensor_v2 are replaced by."""
    shape, strides = tuple(shape), tuple(strides)
    if (not isinstance(storage, (Storage, PartOfStorage)) or len(shape) != len(strides)
            or not all(type(n) is int and n >= 0 for n in (offset, *shape, *strides))):
        raise pickle.UnpicklingError("a tensor that is not one")
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides))
    if 0 not in shape and last >= storage.count:
        raise pickle.UnpicklingError("a tensor outside of its storage")
    if isinstance(storage, PartOfStorage):
        return Tensor(storage.whole, storage.first + offset, shape, strides)
    return Tensor(storage, offset, shape, strides)


def rebuilt_parameter(tensor, *_):
    return tensor


KNOWN = {("torch._utils", "_rebuild_tensor"): rebuilt_tensor,
         ("torch._utils", "_rebuild_tensor_v2"): rebuilt_tensor,
         ("torch._utils", "_rebuild_parameter"): rebuilt_parameter,
         ("torch._utils", "_rebuild_parameter_with_state"): rebuilt_parameter,
         ("torch", "Size"): tuple,
         ("collections", "OrderedDict"): OrderedDict,
         ("collections", "defaultdict"): defaultdict,
         **{(module, kind.__name__): kind for module in ("builtins", "__builtin__")
            for kind in (dict, list, tuple, set, frozenset)}}


class Unpickler(pickle.Unpickler):
    """`storage_of(key, dtype, count)` gives the storage of a persistent id."""

    def __init__(self, file, storage_of):
        super().__init__(file, encoding="utf-8")
        self.storage_of, self.placeholders = storage_of, {}

    def find_class(self, module, name):
        if (module, name) in KNOWN:
            return KNOWN[module, name]
        path = f"{module}.{name}"
        if path not in self.placeholders:
            self.placeholders[path] = type("Placeholder", (Placeholder,), {"path": path})
        return self.placeholders[path]

    def persistent_load(self, pid):
        if pid[0] == "module":  # a class, stored with its source
            return pid[1]
        if pid[0] != "storage":
            raise pickle.UnpicklingError(f"unknown persistent id {pid[0]!r}")
        name = pid[1].path.rpartition(".")[2]
        if name not in STORAGE_TYPES:
            raise pickle.UnpicklingError(f"{pid[1].path} is not supported")
        storage = self.storage_of(pid[2], STORAGE_TYPES[name], pid[4])
        if len(pid) > 5 and pid[5] is not None:  # a part of a storage, in old checkpoints
            _, first, count = pid[5]
            if first < 0 or count < 0 or first + count > storage.count:
                raise pickle.UnpicklingError("a view outside of its storage")
            return PartOfStorage(storage, first, count)
        return storage


def read_checkpoint(path):
    """The object that torch.save was given, made of plain containers, Tensors, Placeholders."""
    file = map_file(path)
    try:
        return read_zip(path, file) if file[:4] == b"PK\3\4" else read_legacy(file)
    except FileError as error:
        raise FileError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle can fail in any way
        what = " ".join(str(error).split()) or type(error).__name__
        raise FileError(f"{path}: not a PyTorch checkpoint, or a damaged one ({what})") from None


def read_zip(path, file):
    archive = zipfile.ZipFile(path)
    entries = {entry.filename: entry for entry in archive.infolist()}
    pickles = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise FileError("a zip file without a data.pkl of its own")
    folder = pickles[0][:-len("data.pkl")]
    if folder + "constants.pkl" in entries:
        raise FileError("a TorchScript file; a checkpoint is needed")
    if folder + "byteorder" in entries and archive.read(folder + "byteorder") != b"little":
        raise FileError("written on a big-endian machine, which is not supported")
    storages = {}

    def storage_of(key, dtype, count):
        if key not in storages:
            storages[key] = Storage(file, dtype, count, start_of(f"{folder}data/{key}", count,
                                                                 itemsize(dtype)))
        return storages[key]

    def start_of(name, count, size):
        entry = entries.get(name)
        if entry is None or entry.compress_type != zipfile.ZIP_STORED:
            raise FileError(f"{name} is missing or compressed")
        at = entry.header_offset  # of a local header, which has lengths of its own
        if file[at:at + 4] != b"PK\3\4":
            raise FileError(f"{name} has no header")
        start = at + 30 + sum(struct.unpack("<HH", file[at + 26:at + 30]))
        if count < 0 or entry.file_size != count * size or start + entry.file_size > len(file):
            raise FileError(f"{name} has not the {count} elements that it should have")
        return start

    with archive.open(pickles[0]) as stream:
        return Unpickler(stream, storage_of).load()


def read_legacy(file):
    """Magic number, protocol, system, the object, storage keys; then each storage with its size."""
    storages = {}

    def storage_of(key, dtype, count):
        return storages.setdefault(key, Storage(file, dtype, count))

    def load():
        return Unpickler(file, storage_of).load()

    if file[:1] != b"\x80" or load() != LEGACY_MAGIC or load() != LEGACY_PROTOCOL:
        raise FileError("not a PyTorch checkpoint")
    if load().get("little_endian") is not True:
        raise FileError("written on a big-endian machine, which is not supported")
    value = load()
    for key in load():
        prefix = file.read(8)
        if len(prefix) < 8 or key not in storages:
            raise FileError("ends within its storages")
        storage, storage.start = storages[key], file.tell()
        end = storage.start + storage.count * itemsize(storage.dtype)
        if struct.unpack("<q", prefix)[0] != storage.count or end > len(file):
            raise FileError("ends within its storages, or their sizes disagree")
        file.seek(end)
    if any(storage.start < 0 for storage in storages.values()):
        raise FileError("storages are missing")
    return value


def plain(value):
    """`value` with dicts and lists for namespaces, omegaconf containers and enums within it."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if not isinstance(value, Placeholder):
        return value
    state = value.state
    if isinstance(state, dict):
        if value.path.startswith("omegaconf."):
            for name in ("_content", "_val"):
                if name in state:
                    return plain(state[name])
        return plain(state)
    return plain(value.args[0]) if len(value.args) == 1 and state is None else value


# ---- safetensors ----

def read_safetensors(path):
    """{name: Tensor}."""
    file = map_file(path)
    try:
        length, = struct.unpack("<Q", file[:8])
        if length > min(LONGEST_HEADER, len(file) - 8):
            raise ValueError(f"a header of {length} bytes")
        header = json.loads(file[8:8 + length])
        header.pop("__metadata__", None)
        return {name: entry_of(file, 8 + length, entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise FileError(f"{path}: not a safetensors file, or a damaged one ({error})") from None


def entry_of(file, start, entry):
    dtype, (first, end), shape = entry["dtype"], entry["data_offsets"], entry["shape"]
    if dtype not in NUMPY_TYPES:
        raise ValueError(f"dtype {dtype}")
    count = int(np.prod(shape, dtype=np.int64))
    if first < 0 or end - first != count * itemsize(dtype) or start + end > len(file):
        raise ValueError("a tensor outside of the file")
    return contiguous(Storage(file, dtype, count, start + first), shape)


def write_safetensors(path, tensors):
    """Writes {name: Tensor}, one tensor in memory at a time; the file appears when it is whole."""
    path = Path(path)
    names = sorted(tensors, key=lambda name: (-itemsize(tensors[name].dtype), name))
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name in names:
        tensor = tensors[name]
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape),
                        "data_offsets": [at, at + tensor.nbytes]}
        at += tensor.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for name in names:
                out.write(tensors[name].array().data)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def run(main):
    """Runs a script's main; bad files end it with one line on standard error and exit code 2."""
    try:
        main()
    except FileError as error:
        text = str(error)
    except OSError as error:
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except RecursionError:
        text = "the checkpoint is nested too deeply"
    else:
        return
    print(f"{Path(sys.argv[0]).name}: {text}", file=sys.stderr)
    sys.exit(2)
