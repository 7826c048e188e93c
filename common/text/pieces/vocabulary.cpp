#include "text/pieces/vocabulary.hpp"

#include <algorithm>
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
  for (const auto& [token, id] : json.items()) {
    if (!id.is_number_integer()) {
      throw core::InputError(path_, fmt::format("the id of '{}' is not an integer", token));
    }
    const bool fits = id >= 0 && id < most_ids;
    if (!fits) {
      throw core::InputError(path_, fmt::format("the id {} of '{}' is out of range: ids lie in 0 "
                                                "to {}",
                                                id.dump(), token, most_ids - 1));
    }
    const auto number = id.get<core::TokenId>();
    const auto [known, added] = tokens_.emplace(number, nullptr);
    if (!added) {
      throw core::InputError(
          path_, fmt::format("'{}' and '{}' have the same id {}", *known->second, token, number));
    }
    known->second = &ids_.emplace(token, number).first->first;
    size_ = std::max<std::int64_t>(size_, number + 1);
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
  KNNSEQ_ASSERT(contains(id), "token out of the vocabulary");
  return *tokens_.at(id);
}

}  // namespace knnseq::text
