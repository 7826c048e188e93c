// Entries read back from files of shards, a list at a time; for the .cpp files of this module.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "index/faiss_io/faiss_file.hpp"

namespace knnseq::index {

/// Some entries as their shards have them.
struct ShardEntries {
  std::vector<std::int64_t> ids;    ///< packed (core/entry_id.hpp)
  std::vector<std::uint8_t> codes;  ///< [ids, code_bytes]

  std::span<const std::uint8_t> code(std::size_t i) const {
    const std::size_t bytes = codes.size() / ids.size();
    return std::span(codes).subspan(i * bytes, bytes);
  }
};

ShardEntries by_entry_number(const ShardEntries& entries);

/// One list of all shards, in the order of entry numbers.
ShardEntries gather_list(std::span<const FaissFile> files, std::size_t list);

/// All entries of a shard's index without lists, in its order.
ShardEntries all_rows(const FaissFile& file, std::int64_t code_bytes);

}  // namespace knnseq::index
