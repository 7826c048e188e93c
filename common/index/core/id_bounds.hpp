// What the ids of an index's entries may be.
#pragma once

#include <cstdint>

#include "core/entry_id.hpp"

namespace knnseq::index {

/// An id (core/entry_id.hpp) must have a token in [0, tokens) and an entry number in [0, entries).
/// In an index over sentences these are a shard and a sentence number.
struct IdBounds {
  std::int64_t tokens = core::max_id_token + 1;
  std::int64_t entries = core::max_entry_number + 1;

  bool contain(std::int64_t id) const {
    return id >= 0 && core::token_of(id) < tokens && core::entry_number_of(id) < entries;
  }
};

}  // namespace knnseq::index
