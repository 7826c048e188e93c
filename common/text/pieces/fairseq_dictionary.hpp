// fairseq's dictionary files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"
#include "text/pieces/string_map.hpp"

namespace knnseq::text {

/// Symbols and their ids as fairseq's Dictionary (0.12) has them: <s>, <pad>, </s> and <unk>, then
/// one symbol a line of the file. A symbol that a line flagged "#fairseq:overwrite" gives again is
/// found under its new id; its old id keeps it.
class FairseqDictionary {
 public:
  static constexpr core::TokenId bos = 0;
  static constexpr core::TokenId pad = 1;
  static constexpr core::TokenId eos = 2;
  static constexpr core::TokenId unk = 3;

  /// Reads a file of lines "symbol count" or "symbol count #fairseq:overwrite". Throws InputError
  /// naming file and line if one is malformed or gives a symbol again without that flag.
  explicit FairseqDictionary(const std::filesystem::path& path);

  /// The same from the content of a file; `path` names it in errors.
  static FairseqDictionary parse(std::string_view content, const std::filesystem::path& path);

  std::int64_t size() const { return std::ssize(symbols_); }
  /// The id of a symbol; unk if there is no such symbol.
  core::TokenId id(std::string_view symbol) const;
  /// Throws std::logic_error if the id is out of range.
  const std::string& symbol(core::TokenId id) const;

 private:
  FairseqDictionary();
  /// Takes a line without its end. Throws InputError without file and line.
  void add_line(std::string_view line);
  void add(std::string_view symbol);

  std::vector<std::string> symbols_;
  StringMap<core::TokenId> ids_;
};

}  // namespace knnseq::text
