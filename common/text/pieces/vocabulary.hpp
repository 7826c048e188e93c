// A table of tokens and their ids. Private to this module.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/files.hpp"
#include "core/types.hpp"
#include "text/pieces/string_map.hpp"

namespace knnseq::text {

/// Tokens with ids below size(), read from a JSON object {token: id}. Ids may be left out, as when
/// tokens were taken out of a model whose tables kept their rows.
class Vocabulary {
 public:
  static constexpr std::int64_t most_ids = 1 << 22;

  /// Throws InputError naming the file if it is missing or malformed, or if an id is given
  /// twice, is negative or not below most_ids.
  explicit Vocabulary(const std::filesystem::path& path);

  /// The same from the parsed content of a file; `path` names it in errors.
  Vocabulary(const core::Json& json, std::filesystem::path path);

  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;

  /// One more than the largest id.
  std::int64_t size() const { return size_; }
  std::optional<core::TokenId> find(std::string_view token) const;
  /// Throws InputError naming the file if the token is not in it.
  core::TokenId require(std::string_view token) const;
  bool contains(core::TokenId id) const { return tokens_.contains(id); }
  /// Throws std::logic_error if there is no such id.
  const std::string& token(core::TokenId id) const;

 private:
  std::filesystem::path path_;
  StringMap<core::TokenId> ids_;
  std::unordered_map<core::TokenId, const std::string*> tokens_;  ///< keys of ids_
  std::int64_t size_ = 0;
};

}  // namespace knnseq::text
