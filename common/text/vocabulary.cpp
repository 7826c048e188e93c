#include "text/vocabulary.hpp"

#include <utility>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::text {

Vocabulary::Vocabulary(const std::filesystem::path& path)
    : Vocabulary(core::read_json(path), path) {}

Vocabulary::Vocabulary(const core::Json& json, std::filesystem::path path)
    : path_(std::move(path)) {
  if (!json.is_object() || json.empty()) {
    throw core::InputError(path_, "must be an object of tokens and their ids");
  }
  tokens_.resize(json.size());
  std::vector<bool> taken(json.size());
  for (const auto& [token, id] : json.items()) {
    if (!id.is_number_integer()) {
      throw core::InputError(path_, fmt::format("the id of '{}' is not an integer", token));
    }
    const auto index = id.get<std::int64_t>();
    if (index < 0 || index >= size()) {
      throw core::InputError(path_, fmt::format("the id {} of '{}' is out of range: {} tokens have "
                                                "the ids 0 to {}",
                                                index, token, size(), size() - 1));
    }
    const auto slot = static_cast<std::size_t>(index);
    if (taken[slot]) {
      throw core::InputError(
          path_, fmt::format("'{}' and '{}' have the same id {}", tokens_[slot], token, index));
    }
    taken[slot] = true;
    tokens_[slot] = token;
  }
  ids_.reserve(tokens_.size());
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    ids_.emplace(tokens_[i], core::narrow<core::TokenId>(i));
  }
}

std::optional<core::TokenId> Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

core::TokenId Vocabulary::require(std::string_view token) const {
  const auto id = find(token);
  if (!id) throw core::InputError(path_, fmt::format("the token '{}' is missing", token));
  return *id;
}

const std::string& Vocabulary::token(core::TokenId id) const {
  KNNSEQ_ASSERT(id >= 0 && id < size(), "token out of the vocabulary");
  return tokens_[static_cast<std::size_t>(id)];
}

}  // namespace knnseq::text
