// Inverted lists that are filled one after another.
#pragma once

#include <memory>
#include <span>

#include "index/search/local_index.hpp"

namespace knnseq::index {

class ListIndex : public LocalIndex {
 public:
  /// Adds entries to a list: codes [n, code_bytes], ids [n]. No more than the sizes it was made
  /// for.
  virtual void append(std::int64_t list, std::span<const std::uint8_t> codes,
                      std::span<const std::int64_t> ids) = 0;

  /// After the last append(), before the first search.
  virtual void finish() {}
};

}  // namespace knnseq::index
