#include "stages/import/foreign_array.hpp"

#include <regex>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/input_file.hpp"
#include "core/json_field.hpp"
#include "core/parse_json.hpp"
#include "store/hdf5_file.hpp"

namespace knnseq::stages {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view npy_magic{"\x93NUMPY", 6};
constexpr std::string_view hdf5_magic{"\x89HDF\r\n\x1a\n", 8};
constexpr std::size_t most_header_bytes = 1024;  // NumPy's own of one array have some 128
constexpr std::int64_t most_rows = std::int64_t{1} << 40;
constexpr std::int64_t most_columns = std::int64_t{1} << 20;

[[noreturn]] void refuse(const fs::path& path, const std::string& what) {
  throw core::InputError(path, what);
}

std::int64_t number(const fs::path& path, const std::string& digits, std::int64_t most) {
  const auto value = digits.size() < 18 ? std::stoll(digits) : most + 1;
  if (value > most) refuse(path, "states a size of " + digits);
  return value;
}

/// The rest of a header's shape, "(1000, 512)".
void read_shape(ForeignArray& array, const std::string& shape) {
  static const std::regex pattern(R"(\(\s*(\d+)\s*,\s*(?:(\d+)\s*,?\s*)?\))");
  std::smatch found;
  if (!std::regex_match(shape, found, pattern)) {
    refuse(array.path, "has the shape " + shape + "; one or two dimensions are expected");
  }
  array.rows = number(array.path, found[1], most_rows);
  array.columns = found[2].matched ? number(array.path, found[2], most_columns) : 1;
}

/// Formats 1 to 3 of numpy.lib.format: magic, version, length, a Python dict.
void read_npy(ForeignArray& array, const std::string& head) {
  array.origin = "numpy";
  const auto byte = [&](std::size_t at) {
    return at < head.size() ? static_cast<unsigned char>(head[at]) : 0U;
  };
  const unsigned major = byte(npy_magic.size());
  if (major < 1 || major > 3) refuse(array.path, "is of an unknown version of NumPy's format");
  const std::size_t before = major == 1 ? 10 : 12;
  const std::size_t length = byte(8) + (byte(9) << 8) + (major == 1 ? 0 : byte(10) << 16);
  if (length > most_header_bytes || before + length > head.size()) {
    refuse(array.path, "has a header that is not that of one plain array");
  }
  const std::string header = head.substr(before, length);
  static const std::regex descr(R"('descr':\s*'([^']*)')"), order(R"('fortran_order':\s*(\w+))"),
      shape(R"('shape':\s*(\([^)]*\)))"), known(R"([<|]([fiu][1248]))");
  std::smatch type, fortran, extents, code;
  if (!std::regex_search(header, type, descr) || !std::regex_search(header, fortran, order) ||
      !std::regex_search(header, extents, shape)) {
    refuse(array.path, "has a header that is not that of one plain array");
  }
  const std::string name = type[1];
  if (name.find('O') != name.npos) {
    refuse(array.path, "holds pickled Python objects, which are not read");
  }
  if (!std::regex_match(name, code, known)) {
    refuse(array.path, fmt::format("holds numbers of the type '{}', which is not supported", name));
  }
  if (fortran[1] != "False") {
    refuse(array.path, "is stored column by column; save numpy.ascontiguousarray() of it");
  }
  array.type = code[1];
  array.first_byte = static_cast<std::int64_t>(before + length);
  read_shape(array, extents[1]);
}

/// knn-seq's KeyStorage ("memory") and TokenStorage ("tokens").
void read_hdf5(ForeignArray& array, const std::string& dataset) {
  array.origin = "knn-seq";
  const auto file = store::Hdf5File::open_for_reading(array.path);
  const auto type = [&] {
    try {
      return file.type_of(dataset);
    } catch (const core::InputError& e) {
      const std::string message = e.what();
      const bool chunked = message.find("in one piece") != message.npos;
      throw core::InputError(chunked ? message + "; unpack it with h5repack -f NONE -l CONTI"
                                     : message);
    }
  }();
  switch (type) {
    case store::DataType::float16:
      array.type = "f2";
      break;
    case store::DataType::float32:
      array.type = "f4";
      break;
    case store::DataType::int32:
      array.type = "i4";
      break;
    case store::DataType::uint32:
      array.type = "u4";
      break;
    case store::DataType::int64:
      array.type = "i8";
      break;
    default:
      refuse(array.path, fmt::format("dataset '{}' is of another type", dataset));
  }
  const auto shape = file.shape(dataset, type, dataset == "memory" ? 2 : 1);
  array.rows = shape[0];
  array.columns = shape.size() > 1 ? shape[1] : 1;
  array.first_byte = file.bytes_of(dataset).begin;
}

/// The type that knn-box's config.json names: "float16", "<class 'int'>", "torch.int64", …
std::string type_named(const core::JsonField& field) {
  const std::string& name = field.text();
  if (name.find("float16") != name.npos) return "f2";
  if (name.find("float") != name.npos && name.find("float64") == name.npos) return "f4";
  if (name.find("int") != name.npos) return "i8";  // whichever it names: its Memmap makes them int
  field.refuse("names a type that is not supported");
}

/// knn-box keeps {"data_infos": {"keys": {"shape": …, "dtype": …}}} beside keys.npy.
bool read_config(ForeignArray& array) {
  const auto file = array.path.parent_path() / "config.json";
  if (!fs::exists(file)) return false;
  const auto json =
      core::parse_json(core::read_whole(file, core::most_model_file_bytes), file.string());
  const core::JsonField config(file.string(), json);
  const std::string name = array.path.stem().string();
  if (!config.is_object() || !config.has("data_infos")) return false;
  const auto infos = config.at("data_infos");
  if (!infos.has(name)) return false;
  array.origin = "knn-box";
  array.type = type_named(infos.at(name).at("dtype"));
  const auto shape = infos.at(name).at("shape").elements();
  if (shape.empty() || shape.size() > 2) infos.at(name).at("shape").refuse("is no array's");
  array.rows = shape[0].number(0, most_rows);
  array.columns = shape.size() > 1 ? shape[1].number(1, most_columns) : 1;
  return true;
}

/// knn-transformers: dstore_MODEL_SIZE_WIDTH_keys.npy with fp16, …_vals.npy with 32 bits.
bool read_size_in_name(ForeignArray& array, bool keys) {
  static const std::regex pattern(R"(.*_(\d+)_(\d+)_(keys|vals)\.npy)");
  const std::string name = array.path.filename().string();
  std::smatch found;
  if (name.size() > 255 || !std::regex_match(name, found, pattern)) return false;
  array.origin = "knn-transformers";
  array.rows = number(array.path, found[1], most_rows);
  array.columns = keys ? number(array.path, found[2], most_columns) : 1;
  const auto values = array.rows * array.columns;
  const auto bytes = core::InputFile(array.path).bytes();
  array.type = keys ? (bytes == 4 * values ? "f4" : "f2") : (bytes == 8 * values ? "i8" : "i4");
  return true;
}

void require_whole(const ForeignArray& array) {
  const auto bytes = core::InputFile(array.path).bytes();
  const auto needed = array.first_byte + array.rows * array.row_bytes();
  if (bytes < needed) {
    refuse(array.path, fmt::format("has {} bytes; {} rows of {} numbers of type {} take {}", bytes,
                                   array.rows, array.columns, array.type, needed));
  }
  if (bytes > needed && array.origin == "knn-transformers") {
    refuse(array.path,
           fmt::format("has {} bytes, more than the {} of the size in its name", bytes, needed));
  }
}

ForeignArray find_array(const fs::path& path, bool keys) {
  ForeignArray array;
  array.path = path;
  const auto head = core::read_head(path, 12 + most_header_bytes);
  if (head.starts_with(npy_magic)) {
    read_npy(array, head);
  } else if (head.starts_with(hdf5_magic)) {
    read_hdf5(array, keys ? "memory" : "tokens");
  } else if (!read_config(array) && !read_size_in_name(array, keys)) {
    array.origin = "adaptive-knn-mt";
    return array;
  }
  require_whole(array);
  return array;
}

}  // namespace

ForeignArray find_keys(const fs::path& path) {
  ForeignArray keys = find_array(path, true);
  if (keys.type.empty() || keys.type == "f2" || keys.type == "f4") return keys;
  refuse(path,
         fmt::format("holds numbers of type {}; keys are float16 (f2) or float32 (f4)", keys.type));
}

ForeignArray find_values(const fs::path& path) {
  ForeignArray values = find_array(path, false);
  if (values.type.starts_with("f")) {
    refuse(path, fmt::format("holds numbers of type {}; values are whole numbers", values.type));
  }
  if (values.columns != 1) {
    refuse(path, fmt::format("has {} columns; values have one", values.columns));
  }
  return values;
}

ForeignArray find_of_sentences(const fs::path& path, const std::string& dataset) {
  ForeignArray numbers;
  numbers.path = path;
  read_hdf5(numbers, dataset);
  if (numbers.type.starts_with("f")) {
    refuse(path, fmt::format("dataset '{}' does not hold whole numbers", dataset));
  }
  require_whole(numbers);
  return numbers;
}

ForeignArray find_features(const fs::path& path) {
  const auto head = core::read_head(path, hdf5_magic.size());
  if (!head.starts_with(hdf5_magic) && !head.starts_with(npy_magic)) {
    refuse(path, "is neither NumPy's nor HDF5, as sentence features are");
  }
  const ForeignArray features = find_array(path, true);
  if (features.type == "f2" || features.type == "f4") return features;
  refuse(path, fmt::format("holds numbers of type {}; sentence features are float16 (f2) or "
                           "float32 (f4)",
                           features.type));
}

void infer_shapes(ForeignArray& keys, ForeignArray& values, std::int64_t width) {
  const auto key_bytes = core::InputFile(keys.path).bytes();
  const auto value_bytes = core::InputFile(values.path).bytes();
  values.type = "i8";
  values.rows = value_bytes / 8;
  for (const char* type : {"f2", "f4"}) {
    keys.type = type;
    keys.rows = values.rows;
    keys.columns = width;
    if (value_bytes % 8 == 0 && keys.rows * keys.row_bytes() == key_bytes) return;
  }
  refuse(
      keys.path,
      fmt::format("has no header and {} bytes; with the {} bytes of {} and keys of width {} that "
                  "is neither fp16 nor fp32 with values of 64 bits",
                  key_bytes, value_bytes, values.path.string(), width));
}

}  // namespace knnseq::stages
