// Inverted lists in memory, and the search in them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "index/codebook.hpp"
#include "index/probes.hpp"
#include "index/top_k.hpp"

namespace knnseq::index {

/// The entries of some shards (or a part of them) as one faiss IndexIVFPQ. Not collective.
class LocalIndex {
 public:
  /// Without entries.
  explicit LocalIndex(const Codebook& codebook);
  LocalIndex(LocalIndex&&) noexcept;
  LocalIndex& operator=(LocalIndex&&) noexcept;
  ~LocalIndex();

  /// Merges the files' lists; of every list of every file only the entries at positions
  /// ≡ part (mod parts) are kept, so that several ranks can share a shard. Files may be none.
  /// Throws core::InputError naming the file where one is missing, truncated, not a faiss file, or
  /// was made with another codebook.
  static LocalIndex load(const Codebook& codebook,
                         const std::vector<std::filesystem::path>& shard_files,
                         std::int64_t part = 0, std::int64_t parts = 1);

  /// The k best entries of each query among its probed lists, exactly, by (distance, entry number).
  /// rotated: fp32 [q, d_out], q may be 0. A scan keeps whichever of equal distances it saw first,
  /// so more than k are asked for, and more again for queries where the cut falls into a tie.
  TopK search(const at::Tensor& rotated, const Probes& probes, std::int64_t k) const;

  std::int64_t entries() const;
  /// Whether the tables of all lists are in memory (faiss makes them up to 2 GiB). Without them
  /// each probed list of each query costs a table, which is slower, the more so the shorter the
  /// lists are.
  bool has_tables() const;
  std::int64_t bytes() const;  ///< memory of lists and look-up tables

 private:
  struct State;
  explicit LocalIndex(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace knnseq::index
