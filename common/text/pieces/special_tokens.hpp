// Tokens that are found whole in a text. Private to this module.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"
#include "text/pieces/string_map.hpp"

namespace knnseq::text {

/// Special tokens and their ids.
class SpecialTokens {
 public:
  void add(const std::string& token, core::TokenId id);

  bool contains(core::TokenId id) const;
  /// One more than the largest id.
  core::TokenId end() const { return core::narrow<core::TokenId>(special_.size()); }

  /// The leftmost token in a text, the longest of those that start there.
  struct Match {
    std::size_t begin;
    std::size_t size;
    core::TokenId id;
  };
  std::optional<Match> first_in(std::string_view text) const;

 private:
  StringMap<core::TokenId> ids_;
  std::array<std::vector<std::string>, 256> by_first_byte_;  ///< longer ones first
  std::vector<bool> special_;                                ///< by id
};

}  // namespace knnseq::text
