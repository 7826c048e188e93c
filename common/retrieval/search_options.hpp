// How many neighbours are looked for, and where.
#pragma once

#include <cstdint>

namespace knnseq::retrieval {

struct SearchOptions {
  std::int64_t k = 16;       ///< neighbours a query
  std::int64_t nprobe = 32;  ///< inverted lists a query

  /// Throws core::InputError.
  void validate() const;
};

}  // namespace knnseq::retrieval
