#include "index/search/scan_lists.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "core/types.hpp"
#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

ScanLists::ScanLists(std::int64_t m, std::span<const std::int64_t> sizes)
    : m_(m),
      sizes_(sizes.size(), 0),
      first_blocks_(sizes.size() + 1, 0),
      first_ids_(sizes.size() + 1, 0),
      largest_terms_(sizes.size(), 0),
      blocks_(),
      ids_() {
  for (std::size_t list = 0; list < sizes.size(); ++list) {
    KNNSEQ_ASSERT(sizes[list] >= 0, "a list of negative size");
    first_blocks_[list + 1] = first_blocks_[list] + core::ceil_div(sizes[list], scan_block_entries);
    first_ids_[list + 1] = first_ids_[list] + sizes[list];
  }
  ids_.resize(first_ids_.back());
  blocks_ = at::zeros({first_blocks_.back(), scan_block_bytes(m)}, at::kByte);
  const std::vector<float> no_entries(scan_block_entries, std::numeric_limits<float>::infinity());
  for (std::int64_t b = 0; b < blocks_.size(0); ++b) {
    std::uint8_t* block = blocks_.mutable_data_ptr<std::uint8_t>() + b * scan_block_bytes(m);
    std::memcpy(block + m * scan_block_entries, no_entries.data(),
                scan_block_entries * sizeof(float));
  }
}

void ScanLists::append(std::int64_t list, std::span<const std::uint8_t> code, std::int64_t id,
                       float term) {
  const auto at = static_cast<std::size_t>(list);
  const std::int64_t position = sizes_[at];
  KNNSEQ_ASSERT(first_ids_[at] + position < first_ids_[at + 1], "a list has no room left");
  ids_[first_ids_[at] + position] = id;
  std::uint8_t* block = blocks_.mutable_data_ptr<std::uint8_t>() +
                        (first_blocks_[at] + position / scan_block_entries) * scan_block_bytes(m_);
  const auto entry = static_cast<int>(position % scan_block_entries);
  std::uint8_t* column = block + scan_byte_of(entry);
  for (std::size_t s = 0; s < code.size(); ++s) column[s * scan_block_entries] = code[s];
  std::memcpy(block + m_ * scan_block_entries + entry * static_cast<std::int64_t>(sizeof(term)),
              &term, sizeof(term));
  largest_terms_[at] = std::max(largest_terms_[at], std::abs(term));
  ++sizes_[at];
}

std::int64_t ScanLists::entries() const {
  return std::accumulate(sizes_.begin(), sizes_.end(), std::int64_t{0});
}

std::int64_t ScanLists::bytes() const {
  const std::size_t tables = sizes_.size() * (3 * sizeof(std::int64_t) + sizeof(float));
  return static_cast<std::int64_t>(blocks_.nbytes() + ids_.size() * sizeof(std::int64_t) + tables);
}

std::int64_t ScanLists::block_count(std::int64_t list) const {
  return core::ceil_div(size(list), scan_block_entries);
}

const std::uint8_t* ScanLists::blocks(std::int64_t list) const {
  return blocks_.const_data_ptr<std::uint8_t>() + first_blocks_[list] * scan_block_bytes(m_);
}

const std::uint8_t* ScanLists::code(std::int64_t list, std::int64_t position) const {
  return blocks(list) + position / scan_block_entries * scan_block_bytes(m_) +
         scan_byte_of(static_cast<int>(position % scan_block_entries));
}

float ScanLists::term(std::int64_t list, std::int64_t position) const {
  const std::uint8_t* terms =
      blocks(list) + position / scan_block_entries * scan_block_bytes(m_) + m_ * scan_block_entries;
  float value = 0;
  std::memcpy(&value, terms + position % scan_block_entries * std::int64_t{sizeof(float)},
              sizeof(value));
  return value;
}

const std::int64_t* ScanLists::ids(std::int64_t list) const {
  return ids_.data() + first_ids_[list];
}

}  // namespace knnseq::index
