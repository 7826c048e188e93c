// Byte pair encoding of words, as subword-nmt and fastBPE do it.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/types.hpp"
#include "text/pieces/bpe_codes.hpp"
#include "text/pieces/string_map.hpp"

namespace knnseq::text {

/// Applies learned merges to words (Sennrich, Haddow and Birch, ACL 2016). Gives the pieces of
/// subword-nmt's apply_bpe (0.3.8, without dropout, vocabulary and glossaries) and of fastBPE's
/// applybpe (without vocabulary).
class Bpe {
 public:
  /// Reads a codes file of subword-nmt (version 0.1 or 0.2) or fastBPE. Throws InputError naming
  /// file and line if it is malformed.
  explicit Bpe(const std::filesystem::path& path);

  /// The same from the content of a file; `path` names it in errors.
  static Bpe parse(std::string_view content, const std::filesystem::path& path);

  /// The pieces of all words of valid UTF-8; those that do not end a word end in "@@". Words are
  /// separated by spaces only: other white space is part of a word, except "\r" and "\n" at both
  /// ends of the text. O(n log n) for a word of n characters.
  std::vector<std::string> encode(std::string_view text) const;

 private:
  using SymbolId = std::int32_t;
  static constexpr auto none = static_cast<std::size_t>(-1);
  struct Merge {
    std::int32_t rank;
    SymbolId merged;
  };
  /// Some bytes of a word, in a doubly linked list; its ends point to `none`.
  struct Symbol {
    SymbolId id;  ///< −1 if no merge has it
    std::size_t end;
    std::size_t previous;
    std::size_t next;
  };

  explicit Bpe(const BpeCodes& codes);
  SymbolId add_symbol(std::string_view symbol);
  /// The merge of a symbol with the one after it; null if there is none.
  const Merge* find_merge(std::span<const Symbol> symbols, std::size_t left) const;
  /// The characters of a word that is followed by "</w>".
  std::vector<Symbol> split(std::string_view marked) const;
  void merge_all(std::vector<Symbol>& symbols) const;
  void encode_word(std::string_view word, std::vector<std::string>& pieces) const;

  bool separate_end_;
  StringMap<SymbolId> ids_;
  std::unordered_map<std::uint64_t, Merge> merges_;  ///< by pair_key
};

}  // namespace knnseq::text
