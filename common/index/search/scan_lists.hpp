// Inverted lists as the scan reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "core/types.hpp"
#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

/// Codes of PQ, ids and one fp32 term an entry. A list is a row of blocks of 64 entries, the last
/// filled up with entries of infinite terms; in a block the codes are transposed, so that those of
/// one sub-vector lie together (scan_kernel.hpp). All of it lies in one piece of memory, which
/// processes can share. Not copied; not collective.
class ScanLists {
 public:
  /// Room for lists of these sizes [nlist]; all are empty. m: bytes of a code. memory: of
  /// memory_bytes() zeros, aligned to 64 bytes; its own if none is given. Of processes that share
  /// it each may append to lists of its own.
  ScanLists(std::int64_t m, std::span<const std::int64_t> sizes,
            const std::shared_ptr<std::byte>& memory = nullptr);

  static std::int64_t memory_bytes(std::int64_t m, std::span<const std::int64_t> sizes);

  ScanLists(ScanLists&&) noexcept = default;
  ScanLists& operator=(ScanLists&&) noexcept = default;
  ScanLists(const ScanLists&) = delete;
  ScanLists& operator=(const ScanLists&) = delete;
  ~ScanLists() = default;

  /// What becomes of codes when they are appended.
  struct Appending {
    const std::uint8_t* numbers = nullptr;  ///< [m, 256]: what stands for each; none: they stay
    const float* terms = nullptr;           ///< [m, 256]: of term_of(); none: terms are 0
    /// [m]: how far into a code of a block each sub-vector's byte is; none: in their order.
    const std::int64_t* places = nullptr;
  };

  /// Entries at the end of a list that has room: codes [n, m] row-major, ids [n].
  void append(std::int64_t list, std::span<const std::uint8_t> codes,
              std::span<const std::int64_t> ids) {
    append(list, codes, ids, {});
  }
  void append(std::int64_t list, std::span<const std::uint8_t> codes,
              std::span<const std::int64_t> ids, const Appending& how);

  std::int64_t lists() const { return std::ssize(sizes_); }
  std::int64_t m() const { return m_; }
  std::int64_t size(std::int64_t list) const { return sizes_[list]; }
  std::int64_t entries() const;
  std::int64_t bytes() const;

  /// Blocks that hold entries.
  std::int64_t block_count(std::int64_t list) const {
    return core::ceil_div(size(list), scan_block_entries);
  }
  /// The first of the list's blocks; they follow one another. Aligned to 64 bytes.
  const std::uint8_t* blocks(std::int64_t list) const {
    return blocks_ + first_blocks_[list] * scan_block_bytes(m_);
  }
  /// The largest absolute value of the list's terms.
  float largest_term(std::int64_t list) const { return largest_terms_[list]; }

  /// The ids of the list's entries [size].
  const std::int64_t* ids(std::int64_t list) const { return ids_.data() + first_ids_[list]; }

  /// Of the list's `position`-th entry: its code, whose bytes are 64 bytes apart; its term.
  const std::uint8_t* code(std::int64_t list, std::int64_t position) const {
    return block_of(list, position) + scan_byte_of(static_cast<int>(position % scan_block_entries));
  }
  float term(std::int64_t list, std::int64_t position) const {
    float value = 0;
    std::memcpy(&value,
                block_of(list, position) + m_ * scan_block_entries +
                    position % scan_block_entries * std::int64_t{sizeof(float)},
                sizeof(value));
    return value;
  }

 private:
  const std::uint8_t* block_of(std::int64_t list, std::int64_t position) const {
    return blocks(list) + position / scan_block_entries * scan_block_bytes(m_);
  }

  std::int64_t m_;
  std::vector<std::int64_t> first_blocks_;  ///< [nlist + 1]
  std::vector<std::int64_t> first_ids_;     ///< [nlist + 1]
  std::shared_ptr<std::byte> memory_;       ///< holds all that follows
  std::uint8_t* blocks_ = nullptr;          ///< [blocks, scan_block_bytes(m)]
  std::span<std::int64_t> ids_;             ///< [entries]
  std::span<std::int64_t> sizes_;           ///< [nlist]
  std::span<float> largest_terms_;          ///< [nlist]
};

}  // namespace knnseq::index
