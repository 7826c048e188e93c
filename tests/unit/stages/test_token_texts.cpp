// What each token adds to a text.
#include <catch2/catch.hpp>

#include "stages/shared/trace/token_texts.hpp"

using namespace knnseq;

namespace {

/// Tokens spell what they are given; a '_' is a space that no text begins with.
class Speller final : public text::Tokenizer {
 public:
  explicit Speller(std::vector<std::string> spelled) : spelled_(std::move(spelled)) {}
  std::vector<core::TokenId> encode_source(std::string_view) const override { return {}; }
  std::vector<core::TokenId> encode_target(std::string_view) const override { return {}; }
  std::string decode_source(std::span<const core::TokenId> tokens) const override {
    return decode_target(tokens);
  }
  std::string decode_target(std::span<const core::TokenId> tokens) const override {
    std::string text;
    for (const auto token : tokens) text += spelled_.at(static_cast<std::size_t>(token));
    std::ranges::replace(text, '_', ' ');
    return text.starts_with(' ') ? text.substr(1) : text;
  }
  std::int64_t vocab_size() const override { return std::ssize(spelled_); }
  std::int64_t source_vocab_size() const override { return vocab_size(); }
  core::TokenId eos() const override { return 0; }
  core::TokenId unk() const override { return 0; }
  core::TokenId pad() const override { return 0; }

 private:
  std::vector<std::string> spelled_;
};

}  // namespace

TEST_CASE("pieces make up the text") {
  const Speller speller({"", "_The", "_h", "ouse", "\xc3", "\xa4", "\xff", "\n"});
  const auto pieces = [&](std::vector<core::TokenId> tokens) {
    const auto made = stages::target_texts(speller, tokens);
    std::string all;
    for (const auto& piece : made.pieces) all += piece;
    CHECK(all == made.text);
    CHECK(made.pieces == stages::source_texts(speller, tokens).pieces);
    return made.pieces;
  };
  CHECK(pieces({1, 2, 3, 0}) == std::vector<std::string>{"The", " h", "ouse", ""});
  CHECK(pieces({1, 4, 5, 0}) == std::vector<std::string>{"The", "", "ä", ""});  // bytes of one
  CHECK(pieces({4, 0}) == std::vector<std::string>{"\xEF\xBF\xBD", ""});        // half of one
  CHECK(pieces({1, 6, 0}) == std::vector<std::string>{"The", "\xEF\xBF\xBD", ""});
  CHECK(pieces({1, 7, 1, 0}) == std::vector<std::string>{"The", " ", " The", ""});
  CHECK(pieces({}).empty());
}
