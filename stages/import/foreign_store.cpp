#include "stages/import/foreign_store.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "stages/import/read_array.hpp"

namespace knnseq::stages {

namespace {

using Arrays = std::vector<ForeignArray>;

/// Keeps the first `entries` rows of all arrays.
void cut(Arrays& arrays, std::int64_t entries) {
  for (auto& array : arrays) {
    array.rows = std::min(array.rows, entries);
    entries -= array.rows;
  }
}

void require_pair(const ForeignArray& keys, const ForeignArray& values, const ModelShape& model,
                  const std::string& type) {
  if (keys.columns != model.width) {
    throw core::InputError(keys.path, fmt::format("has keys of width {}, the model's are {} wide",
                                                  keys.columns, model.width));
  }
  if (keys.rows != values.rows) {
    throw core::InputError(values.path, fmt::format("has {} values; {} has {} keys", values.rows,
                                                    keys.path.string(), keys.rows));
  }
  if (keys.type != type) {
    throw core::InputError(
        keys.path, fmt::format("has keys of type {}, the first file's are {}", keys.type, type));
  }
}

}  // namespace

ForeignStore::ForeignStore(const ImportOptions& options, const ModelShape& model)
    : vocab_size_(model.vocab_size) {
  if (options.keys.empty() || options.keys.size() != options.values.size()) {
    throw core::InputError(fmt::format(
        "import needs import.keys and import.values (--keys, --values), as many files of one as of "
        "the other; there are {} and {}",
        options.keys.size(), options.values.size()));
  }
  for (std::size_t i = 0; i < options.keys.size(); ++i) {
    ForeignArray keys = find_keys(options.keys[i]);
    ForeignArray values = find_values(options.values[i]);
    if (keys.type.empty() && values.type.empty()) infer_shapes(keys, values, model.width);
    for (const auto* array : {&keys, &values}) {
      if (!array->type.empty()) continue;
      throw core::InputError(array->path,
                             "is neither NumPy's nor HDF5, and nothing beside it says its size");
    }
    require_pair(keys, values, model, keys_.empty() ? keys.type : keys_.front().type);
    entries_ += keys.rows;
    keys_.push_back(keys);
    values_.push_back(values);
  }
  if (options.entries > entries_) {
    throw core::InputError(fmt::format("import.entries: {} are more than the {} that there are",
                                       options.entries, entries_));
  }
  if (options.entries > 0) entries_ = options.entries;
  cut(keys_, entries_);
  cut(values_, entries_);
  if (entries_ == 0) throw core::InputError(options.keys.front(), "holds no keys");
  if (entries_ > core::max_entry_number) throw core::InputError("more than 2^40 entries");
}

std::vector<core::Range> ForeignStore::parts() const {
  std::vector<core::Range> parts;
  std::int64_t first = 0;
  for (const auto& array : keys_) {
    parts.push_back({first, first + array.rows});
    first += array.rows;
  }
  return parts;
}

KeyType ForeignStore::key_type() const {
  return keys_.front().type == "f2" ? KeyType::fp16 : KeyType::fp32;
}

core::Json ForeignStore::describe() const {
  std::set<std::string> origins;
  for (const auto& array : keys_) origins.insert(array.origin);
  return {{"from", fmt::format("{}", fmt::join(origins, ", "))}, {"entries", entries_}};
}

std::vector<std::filesystem::path> ForeignStore::files() const {
  std::vector<std::filesystem::path> all;
  for (const auto* arrays : {&keys_, &values_}) {
    for (const auto& array : *arrays) all.push_back(array.path);
  }
  return all;
}

void ForeignStore::read_keys(core::Range entries, std::span<std::byte> keys) const {
  const auto bytes = keys_.front().row_bytes();
  for_each_part(
      keys_, entries, [&](const ForeignArray& array, core::Range rows, std::int64_t done) {
        const auto part = keys.subspan(done * bytes, rows.size() * bytes);
        read_rows(array, rows, part);
        const auto fault = find_fault(array, part);
        if (!fault) return;
        throw core::InputError(
            array.path,
            fmt::format("row {} holds {}", rows.begin + fault->row,
                        fault->zeros ? "zeros only, as where nothing was written; import.entries "
                                       "takes as many entries from the beginning"
                                     : "a number that is not finite"));
      });
}

std::vector<std::uint32_t> ForeignStore::read_values(core::Range entries) const {
  std::vector<std::uint32_t> tokens;
  tokens.reserve(entries.size());
  for_each_part(values_, entries, [&](const ForeignArray& array, core::Range rows, std::int64_t) {
    const auto numbers = read_numbers(array, rows);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (numbers[i] < 0 || numbers[i] >= vocab_size_) {
        throw core::InputError(
            array.path,
            fmt::format("row {} holds token {}, outside the model's vocabulary of {}",
                        rows.begin + static_cast<std::int64_t>(i), numbers[i], vocab_size_));
      }
      tokens.push_back(static_cast<std::uint32_t>(numbers[i]));
    }
  });
  return tokens;
}

}  // namespace knnseq::stages
