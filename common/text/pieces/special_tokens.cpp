#include "text/pieces/special_tokens.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace knnseq::text {

void SpecialTokens::add(const std::string& token, core::TokenId id) {
  KNNSEQ_ASSERT(!token.empty() && id >= 0, "a special token needs a text and an id");
  if (!ids_.emplace(token, id).second) return;
  auto& group = by_first_byte_[static_cast<unsigned char>(token.front())];
  group.push_back(token);
  std::ranges::stable_sort(group, std::ranges::greater(), &std::string::size);
  const auto slot = static_cast<std::size_t>(id);
  special_.resize(std::max(special_.size(), slot + 1));
  special_[slot] = true;
}

bool SpecialTokens::contains(core::TokenId id) const {
  const auto slot = static_cast<std::size_t>(id);
  return id >= 0 && slot < special_.size() && special_[slot];
}

std::optional<SpecialTokens::Match> SpecialTokens::first_in(std::string_view text) const {
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const std::string& token : by_first_byte_[static_cast<unsigned char>(text[i])]) {
      if (text.substr(i).starts_with(token)) return Match{i, token.size(), ids_.at(token)};
    }
  }
  return std::nullopt;
}

}  // namespace knnseq::text
