#include "index/search/scan_lists.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <numeric>
#include <utility>

#include "core/types.hpp"
#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

namespace {

/// Where the parts of the memory begin, in bytes.
struct Layout {
  std::int64_t ids, sizes, largest_terms, end;

  Layout(std::int64_t m, std::int64_t blocks, std::int64_t entries, std::int64_t lists)
      : ids(blocks * scan_block_bytes(m)),
        sizes(ids + entries * std::int64_t{sizeof(std::int64_t)}),
        largest_terms(sizes + lists * std::int64_t{sizeof(std::int64_t)}),
        end(largest_terms + lists * std::int64_t{sizeof(float)}) {}
};

std::shared_ptr<std::byte> own_memory(std::int64_t bytes) {
  constexpr std::align_val_t alignment{64};
  auto* const memory = static_cast<std::byte*>(::operator new(bytes, alignment));
  std::memset(memory, 0, bytes);
  return {memory, [](std::byte* p) { ::operator delete(p, alignment); }};
}

template <class T>
std::span<T> array_at(std::byte* memory, std::int64_t offset, std::int64_t count) {
  return {reinterpret_cast<T*>(memory + offset), static_cast<std::size_t>(count)};
}

}  // namespace

ScanLists::ScanLists(std::int64_t m, std::span<const std::int64_t> sizes,
                     std::shared_ptr<std::byte> memory)
    : m_(m),
      first_blocks_(sizes.size() + 1, 0),
      first_ids_(sizes.size() + 1, 0),
      memory_(memory ? std::move(memory) : own_memory(memory_bytes(m, sizes))) {
  for (std::size_t list = 0; list < sizes.size(); ++list) {
    KNNSEQ_ASSERT(sizes[list] >= 0, "a list of negative size");
    first_blocks_[list + 1] = first_blocks_[list] + core::ceil_div(sizes[list], scan_block_entries);
    first_ids_[list + 1] = first_ids_[list] + sizes[list];
  }
  const auto lists = std::ssize(sizes);
  const Layout layout(m, first_blocks_.back(), first_ids_.back(), lists);
  blocks_ = reinterpret_cast<std::uint8_t*>(memory_.get());
  ids_ = array_at<std::int64_t>(memory_.get(), layout.ids, first_ids_.back());
  sizes_ = array_at<std::int64_t>(memory_.get(), layout.sizes, lists);
  largest_terms_ = array_at<float>(memory_.get(), layout.largest_terms, lists);
}

std::int64_t ScanLists::memory_bytes(std::int64_t m, std::span<const std::int64_t> sizes) {
  std::int64_t blocks = 0;
  std::int64_t entries = 0;
  for (const auto size : sizes) {
    blocks += core::ceil_div(size, scan_block_entries);
    entries += size;
  }
  return Layout(m, blocks, entries, std::ssize(sizes)).end;
}

void ScanLists::append(std::int64_t list, std::span<const std::uint8_t> code, std::int64_t id,
                       float term) {
  const std::int64_t position = sizes_[list];
  KNNSEQ_ASSERT(first_ids_[list] + position < first_ids_[list + 1], "a list has no room left");
  ids_[first_ids_[list] + position] = id;
  std::uint8_t* block =
      blocks_ + (first_blocks_[list] + position / scan_block_entries) * scan_block_bytes(m_);
  const auto entry = static_cast<int>(position % scan_block_entries);
  auto* const terms = block + m_ * scan_block_entries;
  if (entry == 0) {
    static const std::vector<float> no_entries(scan_block_entries,
                                               std::numeric_limits<float>::infinity());
    std::memcpy(terms, no_entries.data(), scan_block_entries * sizeof(float));
  }
  std::uint8_t* column = block + scan_byte_of(entry);
  for (std::size_t s = 0; s < code.size(); ++s) column[s * scan_block_entries] = code[s];
  std::memcpy(terms + entry * std::int64_t{sizeof(term)}, &term, sizeof(term));
  largest_terms_[list] = std::max(largest_terms_[list], std::abs(term));
  ++sizes_[list];
}

std::int64_t ScanLists::entries() const {
  return std::accumulate(sizes_.begin(), sizes_.end(), std::int64_t{0});
}

std::int64_t ScanLists::bytes() const {
  const auto lists = std::ssize(sizes_);
  return Layout(m_, first_blocks_.back(), first_ids_.back(), lists).end +
         2 * lists * std::int64_t{sizeof(std::int64_t)};
}

std::int64_t ScanLists::block_count(std::int64_t list) const {
  return core::ceil_div(size(list), scan_block_entries);
}

const std::uint8_t* ScanLists::blocks(std::int64_t list) const {
  return blocks_ + first_blocks_[list] * scan_block_bytes(m_);
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
