#include "text/tokenizers/marian_side.hpp"

#include "core/utf8.hpp"
#include "text/pieces/clean_up.hpp"
#include "text/pieces/replace_all.hpp"

namespace knnseq::text {

namespace {

/// The longest of the tokens that `text` starts with; empty if it starts with none.
std::string_view token_at(std::string_view text, std::span<const std::string> tokens) {
  std::string_view longest;
  for (const std::string& token : tokens) {
    if (token.size() > longest.size() && text.starts_with(token)) longest = token;
  }
  return longest;
}

/// "fra" of ">>fra<<"; empty if the token is no language's.
std::string_view marian_language(std::string_view token) {
  if (!token.starts_with(">>") || !token.ends_with("<<") || token.size() < 5) return {};
  token = token.substr(2, token.size() - 4);
  return token.find_first_of("<> ") == std::string_view::npos ? token : std::string_view();
}

}  // namespace

MarianSide::MarianSide(const std::filesystem::path& pieces_path,
                       const std::filesystem::path& vocabulary_path, const MarianConfig& config)
    : config_(config),
      pieces_(pieces_path),
      vocabulary_(vocabulary_path),
      eos_(vocabulary_.require(config.eos)),
      unk_(vocabulary_.require(config.unk)),
      pad_(vocabulary_.require(config.pad)) {
  for (core::TokenId id = 0; id < vocabulary_.size(); ++id) {
    if (has_token(id) && !marian_language(vocabulary_.token(id)).empty()) languages_.insert(id);
  }
}

std::vector<std::string> MarianSide::languages() const {
  std::vector<std::string> codes;
  for (const core::TokenId id : languages_)
    codes.emplace_back(marian_language(vocabulary_.token(id)));
  return codes;
}

std::vector<core::TokenId> MarianSide::encode(std::string_view text) const {
  const auto special_tokens = config_.special_tokens();
  std::vector<core::TokenId> tokens;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view special = token_at(text.substr(i), special_tokens);
    if (special.empty()) {
      ++i;
      continue;
    }
    encode_plain(text.substr(begin, i - begin), tokens);
    tokens.push_back(vocabulary_.require(special));
    i += special.size();
    begin = i;
  }
  encode_plain(text.substr(begin), tokens);
  return tokens;
}

void MarianSide::encode_plain(std::string_view text, std::vector<core::TokenId>& tokens) const {
  if (text.starts_with(">>")) {
    const std::size_t end = text.find("<<");
    if (end != std::string_view::npos) {
      tokens.push_back(vocabulary_.find(text.substr(0, end + 2)).value_or(unk_));
      text.remove_prefix(end + 2);
    }
  }
  if (text.empty()) return;
  for (const std::string& piece : pieces_.encode(text)) {
    tokens.push_back(vocabulary_.find(piece).value_or(unk_));
  }
}

std::string MarianSide::decode(std::span<const core::TokenId> tokens) const {
  std::vector<std::string> pieces;
  pieces.reserve(tokens.size());
  for (const core::TokenId id : tokens) {
    const std::string& token = vocabulary_.token(id);
    if (id != eos_ && id != unk_ && id != pad_ && !is_language(id)) pieces.push_back(token);
  }
  std::string text = pieces_.decode(pieces);
  replace_all(text, "\u2581", " ");  // SentencePiece's mark of a word's start
  text = core::strip(text);
  if (config_.clean_up_spaces) clean_up(text);
  return text;
}

}  // namespace knnseq::text
