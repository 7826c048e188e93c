// A table of tokens and their ids. Private to this module.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/files.hpp"
#include "core/types.hpp"

namespace knnseq::text {

/// Tokens with ids 0 … size() − 1, read from a JSON object {token: id}.
class Vocabulary {
 public:
  /// Throws InputError naming the file where it is missing or malformed, or where an id is given
  /// twice or is out of range.
  explicit Vocabulary(const std::filesystem::path& path);

  /// The same from the parsed content of a file; `path` names it in errors.
  Vocabulary(const core::Json& json, std::filesystem::path path);

  std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }
  std::optional<core::TokenId> find(std::string_view token) const;
  /// Throws InputError naming the file where the token is not in it.
  core::TokenId require(std::string_view token) const;
  /// Throws std::logic_error where the id is out of range.
  const std::string& token(core::TokenId id) const;

 private:
  std::filesystem::path path_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::string_view, core::TokenId> ids_;  ///< keys point into tokens_
};

}  // namespace knnseq::text
