#include "model/safetensors.hpp"

#include <bit>
#include <cstring>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::model {

static_assert(std::endian::native == std::endian::little, "safetensors holds little-endian data");

namespace {

at::ScalarType scalar_type(const std::string& dtype, const std::string& where) {
  if (dtype == "F64") return at::kDouble;
  if (dtype == "F32") return at::kFloat;
  if (dtype == "F16") return at::kHalf;
  if (dtype == "BF16") return at::kBFloat16;
  if (dtype == "I64") return at::kLong;
  if (dtype == "I32") return at::kInt;
  if (dtype == "U8") return at::kByte;
  throw core::InputError(where, "dtype '" + dtype + "' is not supported");
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : path_(path), file_(path), entries_(parse_safetensors_header(file_.bytes(), path_)) {}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto where = fmt::format("{}: tensor '{}'", path_, name);
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw core::InputError(where, "is missing");
  const SafetensorsEntry& entry = found->second;
  at::Tensor tensor = at::empty(entry.shape, scalar_type(entry.dtype, where));
  if (entry.bytes == 0) return tensor;
  // Offsets need not be aligned to the dtype, so bytes are copied.
  std::memcpy(tensor.data_ptr(), file_.bytes().data() + entry.begin, entry.bytes);
  return tensor;
}

}  // namespace knnseq::model
