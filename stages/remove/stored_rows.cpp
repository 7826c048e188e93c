#include "stages/remove/stored_rows.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"
#include "store/verify_rows.hpp"

namespace knnseq::stages {

namespace {
std::int64_t first_row_of(const core::Json& range) {
  return range.at("first_row").get<std::int64_t>();
}
}  // namespace

StoredRows::StoredRows(const std::filesystem::path& path, const store::DatasetSpec& spec,
                       const core::Json& units, std::int64_t rows)
    : path_(path),
      name_(spec.name),
      reader_(std::make_unique<store::RowReader>(path, spec.name, spec.type,
                                                 static_cast<int>(spec.shape.size()))) {
  std::int64_t bytes = 0;
  for (const auto& unit : units) {
    for (const auto& range : unit) {
      if (range.at("dataset") != name_) continue;
      ranges_.push_back(range);
      bytes += range.at("bytes").get<std::int64_t>();
    }
  }
  std::ranges::sort(ranges_, {}, first_row_of);
  row_bytes_ = rows > 0 ? bytes / rows : 0;
  std::int64_t next = 0;
  for (const auto& range : ranges_) {
    if (first_row_of(range) != next) break;
    next += row_bytes_ > 0 ? range.at("bytes").get<std::int64_t>() / row_bytes_ : 0;
  }
  if (spec.shape.front() == rows && next == rows) return;
  throw core::InputError(
      path_, fmt::format("dataset '{}' does not have a row for each of the corpus's", name_));
}

std::vector<std::byte> StoredRows::read(std::span<const std::int64_t> rows) {
  std::vector<std::byte> bytes(rows.size() * static_cast<std::size_t>(row_bytes_));
  auto* to = bytes.data();
  for (const auto row : rows) to = std::copy_n(find(row), row_bytes_, to);
  return bytes;
}

const std::byte* StoredRows::find(std::int64_t row) {
  if (row < first_ || row >= end_) {
    const auto after = std::ranges::upper_bound(ranges_, row, {}, first_row_of);
    const core::Json& range = *std::prev(after);
    bytes_.resize(range.at("bytes").get<std::size_t>());
    first_ = first_row_of(range);
    end_ = first_ + std::ssize(bytes_) / row_bytes_;
    reader_->read_bytes(first_, bytes_);
    store::verify_range(path_, range, bytes_);
  }
  return bytes_.data() + (row - first_) * row_bytes_;
}

}  // namespace knnseq::stages
