#include "index/search/scan_lists.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "core/types.hpp"
#include "index/core/own_memory.hpp"
#include "index/search/scan_centroids.hpp"
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

constexpr int together = 16;  ///< entries and sub-vectors
using Bytes [[gnu::vector_size(together)]] = std::uint8_t;

Bytes load_bytes(const std::uint8_t* from) {
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof(bytes));
  return bytes;
}

Bytes first_in_turns(Bytes a, Bytes b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
Bytes last_in_turns(Bytes a, Bytes b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                 31);
}

/// 16 bytes of each of 16 rows, transposed.
struct Square {
  std::array<Bytes, together> rows;

  Square(const std::uint8_t* from, std::int64_t stride) : rows() {
    for (int i = 0; i < together; ++i) rows[i] = load_bytes(from + i * stride);
    for (int pass = 0; pass < 4; ++pass) {
      const auto before = rows;
      for (int i = 0; i < together / 2; ++i) {
        rows[2 * i] = first_in_turns(before[i], before[i + together / 2]);
        rows[2 * i + 1] = last_in_turns(before[i], before[i + together / 2]);
      }
    }
  }
};

/// Codes of a block's entries on their way into it.
class Codes {
 public:
  Codes(std::int64_t m, const ScanLists::Appending& how)
      : m_(m),
        how_(how),
        stride_(core::ceil_div(m, together) * together),
        rows_(scan_block_entries * stride_, 0) {}

  /// Of `count` entries [count, m], from the block's entry `first` on.
  void read(const std::uint8_t* codes, std::int64_t count, std::int64_t first) {
    if (count < scan_block_entries) std::ranges::fill(rows_, std::uint8_t{0});
    for (std::int64_t i = 0; i < count; ++i, codes += m_) {
      std::uint8_t* const row = rows_.data() + (first + i) * stride_;
      if (how_.numbers == nullptr) {
        copy(codes, row);
      } else {
        for (std::int64_t s = 0; s < m_; ++s) row[s] = how_.numbers[s * 256 + codes[s]];
      }
    }
  }

  /// Puts the codes that were read into a block, beside what it holds of entries before them, and
  /// zeros where later ones will be.
  template <bool others>
  void write(std::uint8_t* block) const {
    for (std::int64_t s = 0; s < m_; s += together) {
      for (int entry = 0; entry < scan_block_entries; entry += 2 * together) {
        const std::uint8_t* const rows = rows_.data() + entry * stride_ + s;
        const Square even(rows, stride_);  // see scan_byte_of()
        const Square odd(rows + together * stride_, stride_);
        for (std::int64_t i = 0; i < std::min<std::int64_t>(together, m_ - s); ++i) {
          std::uint8_t* const to = block + place(s + i) + entry;
          put<others>(to, first_in_turns(even.rows[i], odd.rows[i]));
          put<others>(to + together, last_in_turns(even.rows[i], odd.rows[i]));
        }
      }
    }
  }

  float term(std::int64_t entry) const {
    return how_.terms == nullptr ? 0 : term_of(how_.terms, rows_.data() + entry * stride_, m_);
  }

 private:
  std::int64_t place(std::int64_t s) const {
    return how_.places == nullptr ? s * scan_block_entries : how_.places[s];
  }

  /// Of a few bytes, for which a call of memcpy() takes longer.
  void copy(const std::uint8_t* code, std::uint8_t* row) const {
    std::int64_t s = 0;
    for (; s + together <= m_; s += together) std::memcpy(row + s, code + s, together);
    for (; s < m_; ++s) row[s] = code[s];
  }

  template <bool others>
  static void put(std::uint8_t* to, Bytes bytes) {
    if (others) bytes |= load_bytes(to);
    std::memcpy(to, &bytes, sizeof(bytes));
  }

  std::int64_t m_;
  ScanLists::Appending how_;
  std::int64_t stride_;             ///< from one entry's code to the next
  std::vector<std::uint8_t> rows_;  ///< [64, stride_]
};

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
  Codes entries(m_, how);
  const std::uint8_t* code = codes.data();
  float largest = largest_terms_[list];
  for (const auto end = size + std::ssize(ids); size < end;) {
    std::uint8_t* const block =
        blocks_ + (first_blocks_[list] + size / scan_block_entries) * scan_block_bytes(m_);
    auto* const terms = reinterpret_cast<float*>(block + m_ * scan_block_entries);
    const std::int64_t first = size % scan_block_entries;
    const std::int64_t count = std::min(scan_block_entries - first, end - size);
    entries.read(code, count, first);
    if (first > 0) {
      entries.write<true>(block);
    } else {
      entries.write<false>(block);
      std::fill_n(terms, scan_block_entries, std::numeric_limits<float>::infinity());
    }
    for (std::int64_t entry = first; entry < first + count; ++entry) {
      terms[entry] = entries.term(entry);
      largest = std::max(largest, std::abs(terms[entry]));
    }
    size += count;
    code += count * m_;
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
