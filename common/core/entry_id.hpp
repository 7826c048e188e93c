// The int64 id that an index stores for an entry: its value token and its entry number.
#pragma once

#include "core/types.hpp"

namespace knnseq::core {

inline constexpr int entry_number_bits = 40;
inline constexpr std::int64_t max_entry_number = (std::int64_t{1} << entry_number_bits) - 1;
inline constexpr std::int64_t max_id_token = (std::int64_t{1} << 23) - 1;

/// Packs the token into bits 40–62 and the global entry number into the lower 40.
/// Never negative: −1 stays faiss's mark of a missing neighbour.
inline std::int64_t pack_entry_id(TokenId token, std::int64_t entry_number) {
  KNNSEQ_ASSERT(token >= 0 && token <= max_id_token, "token does not fit an entry id");
  KNNSEQ_ASSERT(entry_number >= 0 && entry_number <= max_entry_number,
                "entry number does not fit an entry id");
  return (static_cast<std::int64_t>(token) << entry_number_bits) | entry_number;
}

inline TokenId token_of(std::int64_t entry_id) {
  return static_cast<TokenId>(entry_id >> entry_number_bits);
}

inline std::int64_t entry_number_of(std::int64_t entry_id) { return entry_id & max_entry_number; }

}  // namespace knnseq::core
