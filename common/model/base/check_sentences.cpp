#include "model/base/check_sentences.hpp"

#include <fmt/format.h>

namespace knnseq::model {

namespace {

struct SentenceLimits {
  std::int64_t vocab_size = 0;
  std::int64_t tokens = 0;  ///< of the longest sentence, EOS included
};

void check_sentences(Sentences sentences, const char* side, const SentenceLimits& limits) {
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    const auto where = fmt::format("{} sentence {} of the batch", side, i);
    const auto& sentence = sentences[i];
    if (sentence.empty()) throw core::InputError(where, "is empty: EOS is missing");
    if (std::ssize(sentence) > limits.tokens) {
      throw core::InputError(
          where, fmt::format("has {} tokens; the model takes {}", sentence.size(), limits.tokens));
    }
    for (const TokenId token : sentence) {
      if (token < 0 || token >= limits.vocab_size) {
        throw core::InputError(where, fmt::format("token {} is outside the vocabulary", token));
      }
    }
  }
}

}  // namespace

void check_source(Sentences sentences, const ModelInfo& info) {
  check_sentences(sentences, "source", {info.source_vocab_size, info.source_positions});
}

void check_target(Sentences sentences, const ModelInfo& info) {
  check_sentences(sentences, "target", {info.vocab_size, info.target_tokens()});
}

}  // namespace knnseq::model
