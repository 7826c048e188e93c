// Files of entries that are not in lists, read a piece at a time; for the .cpp files of this
// module.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/types.hpp"
#include "index/core/id_bounds.hpp"
#include "index/faiss_io/faiss_layout.hpp"
#include "index/faiss_io/list_entries.hpp"

namespace knnseq::index {

/// A file of write_local_index() of a codebook for Flat or PQ without lists, whose entries stay in
/// it. faiss would read all of them, which the ranks of a node that fill one copy have no room for.
/// Throws core::InputError as open_shards() does, of entries when they are read.
class RowFile {
 public:
  RowFile(const std::filesystem::path& path, const Codebook& codebook, const IdBounds& ids);

  std::int64_t entries() const { return static_cast<std::int64_t>(rows_.entries); }

  /// The entries at these positions, in their order.
  ShardEntries read(core::Range positions) const;

 private:
  std::filesystem::path path_;
  IndexSpec spec_;
  IdBounds bounds_;
  FaissRows rows_;
};

}  // namespace knnseq::index
