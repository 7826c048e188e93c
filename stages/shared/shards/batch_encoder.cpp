#include "stages/shared/shards/batch_encoder.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "stages/shared/inputs/key_type.hpp"

namespace knnseq::stages {

store::DatasetSpec log_probs_dataset(std::int64_t entries) {
  return {log_probs_name,
          store::DataType::float16,
          {entries},
          {{"description", "natural logarithm of the model's probability of each target token"}}};
}

void require_finite(const at::Tensor& finite, const store::CorpusShard& corpus,
                    std::int64_t first_row, KeyType type) {
  if (finite.all().item<bool>()) return;
  const auto row = first_row + at::argmin(finite.to(at::kByte)).item<std::int64_t>();
  throw core::InputError(
      fmt::format("the model gives a key that is not finite in {} for line {} of the corpus",
                  core::name_of(type), corpus.line_numbers[corpus.sentence_of(row)] + 1));
}

void BatchEncoder::require_corpus(const store::CorpusShard& corpus) const {
  const auto& info = model_.info();
  store::require_tokens_below(corpus, info.source_vocab_size, info.vocab_size);
  const auto check = [&](const std::vector<std::int64_t>& starts, std::int64_t most) {
    for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
      if (starts[i + 1] - starts[i] <= most) continue;
      throw core::InputError(fmt::format("line {} of the corpus has {} tokens, the model takes {}",
                                         corpus.line_numbers[i] + 1, starts[i + 1] - starts[i],
                                         most));
    }
  };
  check(corpus.source_starts, info.source_positions);
  check(corpus.sentence_starts, info.target_tokens());
}

EncodedBatches BatchEncoder::encode_batch(const store::CorpusShard& corpus,
                                          std::int64_t batch) const {
  std::vector<std::vector<core::TokenId>> sources, targets;
  const auto sentences = corpus.sentences_of({batch, batch + 1});
  for (auto i = sentences.begin; i < sentences.end; ++i) {
    sources.push_back(corpus.source(i));
    targets.push_back(corpus.target(i));
  }
  const auto forced = model_.teacher_force(
      sources, targets, {options_.key, options_.sentence_keys, options_.log_probs});
  EncodedBatches encoded{forced.keys.to(scalar_type_of(options_.keys)), {}, {}};
  if (options_.sentence_keys) encoded.sentence_keys = forced.sentence_keys.to(at::kHalf);
  if (options_.log_probs) {
    std::vector<std::int64_t> tokens;
    for (const auto& target : targets) tokens.insert(tokens.end(), target.begin(), target.end());
    const at::Tensor columns = at::tensor(tokens, at::kLong).to(forced.log_probs.device());
    encoded.log_probs = forced.log_probs.gather(1, columns.unsqueeze(1)).squeeze(1).to(at::kHalf);
  }
  return encoded;
}

}  // namespace knnseq::stages
