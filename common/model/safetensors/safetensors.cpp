#include "model/safetensors/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "model/safetensors/largest_magnitude.hpp"

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
    : path_(path),
      file_(std::make_shared<const MappedFile>(path)),
      entries_(parse_safetensors_header(file_->bytes(), path_)) {}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

const SafetensorsEntry& SafetensorsFile::entry(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    throw core::InputError(fmt::format("{}: tensor '{}'", path_, name), "is missing");
  }
  return found->second;
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const SafetensorsEntry& of = entry(name);
  const auto type = scalar_type(of.dtype, fmt::format("{}: tensor '{}'", path_, name));
  const std::byte* data = file_->bytes().data() + of.begin;
  if (of.bytes > 0 && reinterpret_cast<std::uintptr_t>(data) % at::elementSize(type) == 0) {
    // from_blob takes no const data; nothing here writes to weights.
    return at::from_blob(
        const_cast<std::byte*>(data), of.shape, [file = file_](void*) {}, at::dtype(type));
  }
  at::Tensor copy = at::empty(of.shape, type);
  if (of.bytes > 0) std::memcpy(copy.data_ptr(), data, of.bytes);
  return copy;
}

double SafetensorsFile::largest_magnitude(const std::string& name) const {
  constexpr std::size_t piece_bytes = std::size_t{8} << 20;
  const SafetensorsEntry& of = entry(name);
  const auto type = scalar_type(of.dtype, fmt::format("{}: tensor '{}'", path_, name));
  double largest = 0;
  for (std::size_t at = 0; at < of.bytes; at += piece_bytes) {
    const std::size_t bytes = std::min(piece_bytes, of.bytes - at);
    const double of_piece =
        model::largest_magnitude(file_->bytes().subspan(of.begin + at, bytes), type);
    if (!(of_piece <= largest)) largest = of_piece;
    file_->release(of.begin + at, bytes);
    if (std::isnan(largest)) break;
  }
  return largest;
}

void SafetensorsFile::release(const std::string& name) const {
  const SafetensorsEntry& of = entry(name);
  file_->release(of.begin, of.bytes);
}

void write_safetensors(const std::filesystem::path& path,
                       const std::map<std::string, at::Tensor>& tensors) {
  core::Json header;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    KNNSEQ_ASSERT(tensor.scalar_type() == at::kFloat && tensor.is_cpu(),
                  "fp32 in the host's memory");
    const at::Tensor values = tensor.contiguous();
    const auto begin = data.size();
    data.append(static_cast<const char*>(values.const_data_ptr()), values.nbytes());
    header[name] = {
        {"dtype", "F32"}, {"shape", values.sizes().vec()}, {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // aligns the data
  const std::uint64_t size = text.size();
  std::string content(reinterpret_cast<const char*>(&size), sizeof size);
  core::write_file_durably(path, content + text + data);
}

}  // namespace knnseq::model
