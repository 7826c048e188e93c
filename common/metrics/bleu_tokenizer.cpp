#include "metrics/bleu_tokenizer.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "metrics/substitute_pairs.hpp"
#include "metrics/tokenizer_13a.hpp"
#include "metrics/unicode.hpp"
#include "text/files/line_filter.hpp"
#include "text/pieces/sentence_pieces.hpp"

namespace knnseq::metrics {

namespace {

Words words_of(std::string_view line) {
  const auto words = core::split_words(line);
  return {words.begin(), words.end()};
}

/// Those that work line by line, without anything else.
class LineTokenizer final : public BleuTokenizer {
 public:
  using OfLine = Words (*)(std::string_view line);
  LineTokenizer(std::string name, OfLine of_line) : name_(std::move(name)), of_line_(of_line) {}

  std::vector<Words> tokenize(std::span<const std::string> lines) const override {
    std::vector<Words> words;
    for (const auto& line : lines) {
      if (!core::is_valid_utf8(line)) throw core::InputError("text is not valid UTF-8");
      words.push_back(of_line_(core::strip_end(line)));
    }
    return words;
  }
  std::string signature() const override { return name_; }

 private:
  std::string name_;
  OfLine of_line_;
};

/// mteval-v14's international tokenisation, as sacrebleu has it.
Words tokenize_intl(std::string_view text) {
  std::u32string line = core::decode_utf8(text);
  line = substitute_pairs(
      line, [](char32_t a, char32_t b) { return !is_in(numbers, a) && is_in(punctuation, b); },
      [](std::u32string& out, char32_t a, char32_t b) {
        out.append({a, U' ', b, U' '});
      });
  line = substitute_pairs(
      line, [](char32_t a, char32_t b) { return is_in(punctuation, a) && !is_in(numbers, b); },
      [](std::u32string& out, char32_t a, char32_t b) {
        out.append({U' ', a, U' ', b});
      });
  std::u32string separated;
  for (const char32_t c : line) {
    is_in(symbols, c) ? separated.append({U' ', c, U' '}) : separated.append(1, c);
  }
  return words_of(encode_utf8(separated));
}

Words tokenize_characters(std::string_view text) {
  Words words;
  for (const char32_t c : core::decode_utf8(text)) {
    if (!core::is_white_space(c)) words.push_back(encode_utf8({&c, 1}));
  }
  return words;
}

/// sacrebleu's ranges of Chinese characters. Its two ranges beyond U+FFFF are written with four
/// hexadecimal digits, which makes one of U+2001 … U+2A6D and one of U+2F81 … U+2FA1.
bool is_chinese(char32_t c) {
  static constexpr CodeRange ranges[] = {
      {0x2001, 0x2A6D}, {0x2E80, 0x2EFF}, {0x2F00, 0x2FDF}, {0x2FF0, 0x2FFF}, {0x3000, 0x303F},
      {0x3100, 0x312F}, {0x31A0, 0x31BF}, {0x31C0, 0x31EF}, {0x3200, 0x32FF}, {0x3300, 0x33FF},
      {0x3400, 0x4DB5}, {0x4E00, 0x9FA5}, {0x9FA6, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A},
      {0xFA70, 0xFAD9}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F}, {0xFF00, 0xFFEF}};
  return is_in(ranges, c);
}

Words tokenize_zh(std::string_view text) {
  std::u32string line;
  for (const char32_t c : core::decode_utf8(core::strip(text))) {
    is_chinese(c) ? line.append({U' ', c, U' '}) : line.append(1, c);
  }
  return split_by_13a_rules(encode_utf8(line));
}

class PieceTokenizer final : public BleuTokenizer {
 public:
  explicit PieceTokenizer(const std::filesystem::path& model) : pieces_(model) {
    const auto name = model.filename().string();
    signature_ = name == "sacrebleu_tokenizer_spm.model" ? "flores101"
                 : name == "flores200sacrebleuspm"       ? "flores200"
                                                   : fmt::format("spm-{}", model.stem().string());
  }

  std::vector<Words> tokenize(std::span<const std::string> lines) const override {
    std::vector<Words> words;
    for (const auto& line : lines) {
      if (!core::is_valid_utf8(line)) throw core::InputError("text is not valid UTF-8");
      // Pieces of a line stand beside each other in one text, which is split again.
      words.push_back(
          words_of(fmt::format("{}", fmt::join(pieces_.encode(core::strip_end(line)), " "))));
    }
    return words;
  }
  std::string signature() const override { return signature_; }

 private:
  text::SentencePieces pieces_;
  std::string signature_;
};

class CommandTokenizer final : public BleuTokenizer {
 public:
  CommandTokenizer(std::string command, std::string name)
      : command_(std::move(command)), name_(std::move(name)) {}

  std::vector<Words> tokenize(std::span<const std::string> lines) const override {
    std::vector<std::string> stripped;
    for (const auto& line : lines) {
      if (!core::is_valid_text(line)) throw core::InputError("text is not valid UTF-8");
      std::string text(core::strip(line));
      std::ranges::replace(text, '\n', ' ');
      stripped.push_back(std::move(text));
    }
    std::vector<Words> words;
    for (const auto& line : text::filter_lines(command_, stripped)) {
      words.push_back(words_of(line));
    }
    return words;
  }
  std::string signature() const override { return fmt::format("{}-by-command", name_); }

 private:
  std::string command_, name_;
};

template <std::size_t N>
bool is_one_of(std::string_view language, const std::array<std::string_view, N>& languages) {
  return std::ranges::find(languages, language) != languages.end();
}

constexpr std::array<std::string_view, 10> chinese{"zh",  "zho", "chi", "cmn", "yue",
                                                   "wuu", "hak", "nan", "lzh", "gan"};
constexpr std::array<std::string_view, 3> japanese{"ja", "jpn", "jap"};
constexpr std::array<std::string_view, 2> korean{"ko", "kor"};
constexpr std::array<std::string_view, 14> without_spaces{
    "th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bur", "bo", "bod", "tib", "dz", "dzo"};

}  // namespace

std::unique_ptr<BleuTokenizer> make_bleu_tokenizer(const BleuTokenization& how) {
  const std::string name(core::name_of(how.kind));
  const auto by_line = [&](LineTokenizer::OfLine of_line) {
    return std::make_unique<LineTokenizer>(name, of_line);
  };
  switch (how.kind) {
    case Tokenization::mteval_13a:
      return by_line(tokenize_13a);
    case Tokenization::intl:
      return by_line(tokenize_intl);
    case Tokenization::characters:
      return by_line(tokenize_characters);
    case Tokenization::zh:
      return by_line(tokenize_zh);
    case Tokenization::none:
      return by_line(words_of);
    case Tokenization::spm:
      if (how.model.empty()) {
        throw core::InputError(
            "BLEU's tokenisation spm needs evaluate.spm_model: a SentencePiece model, such as the "
            "one that sacrebleu --tokenize flores200 downloads to ~/.sacrebleu/models");
      }
      return std::make_unique<PieceTokenizer>(how.model);
    case Tokenization::ja_mecab:
    case Tokenization::ko_mecab:
      break;
  }
  if (how.command.empty()) {
    throw core::InputError(fmt::format(
        "BLEU's tokenisation {} needs evaluate.tokenize_command: a command that puts spaces "
        "between words{}; or set evaluate.tokenize to char, or to spm",
        name,
        how.kind == Tokenization::ja_mecab
            ? ", such as 'mecab -Owakati' (Debian's mecab and mecab-ipadic-utf8)"
            : ", by MeCab-ko and its dictionary, which Debian does not have"));
  }
  return std::make_unique<CommandTokenizer>(how.command, name);
}

Tokenization usual_tokenization(std::string_view code) {
  std::string language(code.substr(0, code.find_first_of("-_")));
  std::ranges::transform(language, language.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (is_one_of(language, chinese)) return Tokenization::zh;
  if (is_one_of(language, japanese)) return Tokenization::ja_mecab;
  if (is_one_of(language, korean)) return Tokenization::ko_mecab;
  if (is_one_of(language, without_spaces)) return Tokenization::spm;
  return Tokenization::mteval_13a;
}

std::string unsplit_language(std::span<const std::string> lines) {
  static constexpr CodeRange han[] = {{0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0x20000, 0x3134F}};
  static constexpr CodeRange kana[] = {{0x3041, 0x30FF}, {0x31F0, 0x31FF}};
  static constexpr CodeRange hangul[] = {{0x1100, 0x11FF}, {0xAC00, 0xD7A3}};
  static constexpr CodeRange southern[] = {
      {0x0E01, 0x0EFF}, {0x0F40, 0x0FBC}, {0x1000, 0x109F}, {0x1780, 0x17D3}};
  std::int64_t letters = 0;
  std::int64_t of_han = 0, of_kana = 0, of_hangul = 0, of_southern = 0;
  for (const auto& line : lines) {
    for (const char32_t c : core::decode_utf8(line)) {
      if (core::is_white_space(c) || is_in(punctuation, c) || is_in(numbers, c)) continue;
      ++letters;
      of_han += is_in(han, c) ? 1 : 0;
      of_kana += is_in(kana, c) ? 1 : 0;
      of_hangul += is_in(hangul, c) ? 1 : 0;
      of_southern += is_in(southern, c) ? 1 : 0;
    }
  }
  if (2 * (of_han + of_kana) > letters) return 10 * of_kana > of_han ? "ja" : "zh";
  if (2 * of_hangul > letters) return "ko";
  return 2 * of_southern > letters ? "th" : "";
}

}  // namespace knnseq::metrics
