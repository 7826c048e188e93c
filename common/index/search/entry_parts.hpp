// Which entries a rank loads, and into which memory; for the .cpp files of this module.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "comm/shared_memory.hpp"
#include "core/error.hpp"
#include "core/types.hpp"
#include "index/search/local_index.hpp"

namespace knnseq::index {

/// The positions of a list that a part takes.
struct Stride {
  std::size_t part;
  std::size_t parts;

  explicit Stride(const LocalIndexOptions& options) : part(options.part), parts(options.parts) {
    KNNSEQ_ASSERT(options.part >= 0 && options.part < options.parts, "no such part of a shard");
  }
  std::size_t count(std::size_t size) const { return size / parts + (part < size % parts ? 1 : 0); }
};

/// Some entries of a list.
struct Entries {
  std::vector<std::uint8_t> codes;
  std::vector<std::int64_t> ids;

  void add(const std::uint8_t* code, std::size_t code_bytes, std::int64_t id) {
    codes.insert(codes.end(), code, code + code_bytes);
    ids.push_back(id);
  }
};

/// Memory of the sharers; null if there are none.
inline std::shared_ptr<std::byte> shared_memory(const LocalIndexOptions& options,
                                                std::int64_t bytes) {
  if (options.sharers == nullptr) return nullptr;
  return comm::make_shared_memory(*options.sharers, std::max<std::int64_t>(bytes, 1));
}

/// Which of some lists a rank fills.
inline core::Range own_lists(const LocalIndexOptions& options, std::int64_t lists) {
  if (options.sharers == nullptr) return {0, lists};
  return core::even_part(lists, options.sharers->rank(), options.sharers->size());
}

}  // namespace knnseq::index
