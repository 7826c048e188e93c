#include "stages/batch_encoder.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::stages {

EncodedBatches BatchEncoder::forward(const store::CorpusShard& corpus, std::int64_t batch) const {
  std::vector<std::vector<core::TokenId>> sources, targets;
  const auto sentences = corpus.sentences_of({batch, batch + 1});
  for (auto i = sentences.begin; i < sentences.end; ++i) {
    sources.push_back(corpus.source(i));
    targets.push_back(corpus.target(i));
  }
  const auto forced = model_.teacher_force(
      sources, targets, {options_.key, options_.sentence_keys, /*log_probs=*/false});
  EncodedBatches encoded{forced.keys.to(at::kHalf), {}};
  if (options_.sentence_keys) encoded.sentence_keys = forced.sentence_keys.to(at::kHalf);
  return encoded;
}

EncodedBatches BatchEncoder::encode(const store::CorpusShard& corpus, core::Range batches) const {
  std::vector<at::Tensor> keys, sentence_keys;
  for (auto batch = batches.begin; batch < batches.end; ++batch) {
    const EncodedBatches encoded = forward(corpus, batch);
    keys.push_back(encoded.keys);
    if (options_.sentence_keys) sentence_keys.push_back(encoded.sentence_keys);
  }
  EncodedBatches all{at::cat(keys), {}};
  if (options_.sentence_keys) all.sentence_keys = at::cat(sentence_keys);
  require_finite(all.keys, corpus, corpus.entries_of(batches).begin);
  return all;
}

void require_finite(const at::Tensor& keys, const store::CorpusShard& corpus,
                    std::int64_t first_row) {
  const at::Tensor finite = at::isfinite(keys).all(1);
  if (finite.all().item<bool>()) return;
  const auto row = first_row + at::argmin(finite.to(at::kByte)).item<std::int64_t>();
  throw core::InputError(
      fmt::format("the model gives a key that is not finite in fp16 for line {} of the corpus",
                  corpus.line_numbers[static_cast<std::size_t>(corpus.sentence_of(row))] + 1));
}

}  // namespace knnseq::stages
