#include "stages/shared/text/sentence_block.hpp"

#include "core/error.hpp"
#include "model/transformer/source_means.hpp"

namespace knnseq::stages {

std::span<const core::TokenId> own_tokens(std::span<const core::TokenId> source,
                                          const text::SourceFrame& frame) {
  KNNSEQ_ASSERT(std::ssize(source) >= frame.size(), "a source without its frame");
  return source.subspan(frame.prefix.size(),
                        source.size() - frame.prefix.size() - frame.suffix.size());
}

retrieval::SentenceBlock make_sentence_block(const SubsetOptions& options,
                                             const text::Tokenizer& tokenizer,
                                             model::Sentences sources,
                                             const model::EncodedSource& encoded) {
  retrieval::SentenceBlock block;
  block.sentences = static_cast<std::int64_t>(sources.size());
  if (options.encoder == SentenceEncoder::mean) {
    block.means = model::source_means(encoded);
    return block;
  }
  const auto frame = tokenizer.source_frame();
  for (const auto& source : sources) {
    const auto tokens = own_tokens(source, frame);
    if (options.encoder == SentenceEncoder::torchscript) {
      block.texts.push_back(tokenizer.decode_source(tokens));
    } else {
      block.pieces.emplace_back(tokens.begin(), tokens.end());
    }
  }
  return block;
}

}  // namespace knnseq::stages
