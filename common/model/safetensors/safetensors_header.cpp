#include "model/safetensors/safetensors_header.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/file_kind.hpp"
#include "core/parse_json.hpp"

namespace knnseq::model {

namespace {

using Json = nlohmann::json;

constexpr std::size_t length_bytes = 8;
constexpr std::uint64_t max_header_bytes = 100'000'000;  // the format's own limit

/// A header is a length and a JSON object. Says what a file that begins differently is, if that is
/// known.
void refuse_other_files(std::span<const std::byte> bytes, const std::string& file) {
  if (bytes.size() > length_bytes && bytes[length_bytes] == std::byte{'{'}) return;
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min(bytes.size(), core::head_bytes));
  const auto kind = core::describe_foreign(head);
  if (!kind) return;
  // What torch.save writes is a zip archive, and was a pickle once.
  if (kind->find("zip archive") != std::string::npos || kind->find("pickle") != std::string::npos) {
    throw core::InputError(file,
                           "is a file of PyTorch's torch.save, whatever its name; convert it with "
                           "scripts/to_safetensors.py");
  }
  throw core::InputError(file, "is " + *kind);
}

/// The header's length, checked against the file's.
std::size_t header_bytes(std::span<const std::byte> bytes, const std::string& file) {
  if (bytes.size() < length_bytes) throw core::InputError(file, "is too short for safetensors");
  std::uint64_t length = 0;
  for (std::size_t i = length_bytes; i-- > 0;) {
    length = length << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  }
  if (length > max_header_bytes || length > bytes.size() - length_bytes) {
    throw core::InputError(file, fmt::format("claims a header of {} bytes, but has {} in all: "
                                             "truncated, or not a safetensors file",
                                             length, bytes.size()));
  }
  return static_cast<std::size_t>(length);
}

Json parse_object(std::string_view text, const std::string& file) {
  Json header = core::parse_json(text, file + ": header");
  if (!header.is_object()) throw core::InputError(file, "its header is not a JSON object");
  return header;
}

constexpr std::size_t most_dimensions = 8;  // of a tensor

bool is_count_list(const Json& list) {
  return list.is_array() && std::ranges::all_of(list, [](const Json& item) {
           return item.is_number_unsigned() && item.get<std::uint64_t>() <= std::uint64_t{1} << 62;
         });
}

/// One tensor's description; `where` names it in errors, `data_bytes` is the size of the data part.
SafetensorsEntry parse_entry(const Json& json, const std::string& where, std::size_t data_bytes) {
  const auto require = [&](bool condition, const std::string& message) {
    if (!condition) throw core::InputError(where, message);
  };
  require(json.is_object(), "its description is not a JSON object");
  const Json dtype = json.value("dtype", Json());
  const Json shape = json.value("shape", Json());
  const Json offsets = json.value("data_offsets", Json());
  require(dtype.is_string(), "dtype is missing or not a string");
  require(is_count_list(shape), "shape is missing or not a list of counts");
  require(is_count_list(offsets) && offsets.size() == 2, "data_offsets is not a pair of counts");

  const auto begin = offsets[0].get<std::size_t>();
  const auto end = offsets[1].get<std::size_t>();
  require(begin <= end && end <= data_bytes,
          fmt::format("data_offsets [{}, {}] lie outside the file's {} bytes of data", begin, end,
                      data_bytes));
  SafetensorsEntry entry{dtype.get<std::string>(), shape.get<std::vector<std::int64_t>>(), begin,
                         end - begin};
  const std::size_t element_bytes = safetensors_element_bytes(entry.dtype);
  if (element_bytes == 0) return entry;
  require(entry.shape.size() <= most_dimensions,
          fmt::format("has more than {} dimensions", most_dimensions));
  std::size_t bytes = element_bytes;  // as if no dimension were 0: strides must not overflow
  for (const std::int64_t size : entry.shape) {
    require(!__builtin_mul_overflow(bytes, std::max<std::int64_t>(size, 1), &bytes),
            "its shape overflows");
  }
  if (std::ranges::count(entry.shape, 0) > 0) bytes = 0;
  require(bytes == entry.bytes,
          fmt::format("{} of shape [{}] takes {} bytes, but it has {}", entry.dtype,
                      fmt::join(entry.shape, ", "), bytes, entry.bytes));
  return entry;
}

/// Every byte of data belongs to one tensor.
void check_coverage(const std::map<std::string, SafetensorsEntry>& entries, const std::string& file,
                    std::size_t data_bytes) {
  std::vector<std::pair<const std::string*, const SafetensorsEntry*>> order;
  order.reserve(entries.size());
  for (const auto& [name, entry] : entries) order.emplace_back(&name, &entry);
  std::ranges::sort(order, [](const auto& a, const auto& b) {
    return std::pair(a.second->begin, a.second->bytes) <
           std::pair(b.second->begin, b.second->bytes);
  });
  std::size_t at = 0;
  for (const auto& [name, entry] : order) {
    if (entry->begin != at) {
      throw core::InputError(fmt::format("{}: tensor '{}'", file, *name),
                             fmt::format("starts at byte {} of the data; {} expected (an overlap "
                                         "or a gap)",
                                         entry->begin, at));
    }
    at += entry->bytes;
  }
  if (at != data_bytes) {
    throw core::InputError(file,
                           fmt::format("holds {} bytes of data, its tensors {}", data_bytes, at));
  }
}

}  // namespace

std::size_t safetensors_element_bytes(const std::string& dtype) {
  if (dtype == "F64" || dtype == "I64") return 8;
  if (dtype == "F32" || dtype == "I32") return 4;
  if (dtype == "F16" || dtype == "BF16") return 2;
  return dtype == "U8" ? 1 : 0;
}

std::map<std::string, SafetensorsEntry> parse_safetensors_header(std::span<const std::byte> bytes,
                                                                 const std::string& file) {
  refuse_other_files(bytes, file);
  const std::size_t header = header_bytes(bytes, file);
  const std::size_t data_start = length_bytes + header;
  const std::size_t data_bytes = bytes.size() - data_start;
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + length_bytes;
  std::map<std::string, SafetensorsEntry> entries;
  const Json object = parse_object({text, header}, file);
  for (const auto& [name, json] : object.items()) {
    if (name == "__metadata__") continue;
    entries[name] = parse_entry(json, fmt::format("{}: tensor '{}'", file, name), data_bytes);
  }
  check_coverage(entries, file, data_bytes);
  for (auto& [name, entry] : entries) entry.begin += data_start;
  return entries;
}

}  // namespace knnseq::model
