#include "index/search/scan_lists.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "core/types.hpp"
#include "index/core/own_memory.hpp"
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

/// Writes what stands for a code [m] to `column`, whose bytes are scan_block_entries apart.
/// Returns the entry's term, summed as term_of() does.
float put(const std::uint8_t* code, std::int64_t m, const ScanLists::Appending& how,
          std::uint8_t* column) {
  if (how.numbers == nullptr) {
    for (std::int64_t s = 0; s < m; ++s) column[s * scan_block_entries] = code[s];
    return 0;
  }
  const std::uint8_t* numbers = how.numbers;
  const float* terms = how.terms;
  float sums[4] = {};
  const auto put_one = [&](std::size_t s, std::uint8_t value) {
    const std::uint8_t number = numbers[s * 256 + value];
    column[how.places[s]] = number;
    sums[s % 4] += terms[s * 256 + number];
  };
  std::int64_t s = 0;
  for (; s + 4 <= m; s += 4) {
    std::uint32_t four = 0;  // codes at once: the stores could change what is read next
    std::memcpy(&four, code + s, sizeof(four));
    put_one(s, four & 255);
    put_one(s + 1, four >> 8 & 255);
    put_one(s + 2, four >> 16 & 255);
    put_one(s + 3, four >> 24);
  }
  for (; s < m; ++s) put_one(s, code[s]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

ScanLists::ScanLists(std::int64_t m, std::span<const std::int64_t> sizes,
                     const std::shared_ptr<std::byte>& memory)
    : m_(m),
      first_blocks_(sizes.size() + 1, 0),
      first_ids_(sizes.size() + 1, 0),
      memory_(memory ? memory : own_memory(memory_bytes(m, sizes))) {
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
  if (!memory) {  // blocks become zeros when they are begun
    std::ranges::fill(sizes_, 0);
    std::ranges::fill(largest_terms_, 0);
  }
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

void ScanLists::append(std::int64_t list, std::span<const std::uint8_t> codes,
                       std::span<const std::int64_t> ids, const Appending& how) {
  KNNSEQ_ASSERT(std::ssize(codes) == std::ssize(ids) * m_,
                "codes and ids of different numbers of entries");
  std::int64_t& size = sizes_[list];
  KNNSEQ_ASSERT(first_ids_[list] + size + std::ssize(ids) <= first_ids_[list + 1],
                "a list has no room left");
  std::ranges::copy(ids, ids_.begin() + first_ids_[list] + size);
  const std::uint8_t* code = codes.data();
  float largest = largest_terms_[list];
  for (const auto end = size + std::ssize(ids); size < end; ++size, code += m_) {
    std::uint8_t* const block =
        blocks_ + (first_blocks_[list] + size / scan_block_entries) * scan_block_bytes(m_);
    auto* const terms = reinterpret_cast<float*>(block + m_ * scan_block_entries);
    const auto entry = static_cast<int>(size % scan_block_entries);
    if (entry == 0) {
      std::memset(block, 0, m_ * scan_block_entries);
      std::fill_n(terms, scan_block_entries, std::numeric_limits<float>::infinity());
    }
    terms[entry] = put(code, m_, how, block + scan_byte_of(entry));
    largest = std::max(largest, std::abs(terms[entry]));
  }
  largest_terms_[list] = largest;
}

std::int64_t ScanLists::entries() const {
  return std::accumulate(sizes_.begin(), sizes_.end(), std::int64_t{0});
}

std::int64_t ScanLists::bytes() const {
  const auto lists = std::ssize(sizes_);
  return Layout(m_, first_blocks_.back(), first_ids_.back(), lists).end +
         2 * lists * std::int64_t{sizeof(std::int64_t)};
}

}  // namespace knnseq::index
