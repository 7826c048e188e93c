#include "stages/shared/translation/learned_entries.hpp"

#include "comm/agreement.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "stages/shared/shards/batch_encoder.hpp"
#include "stages/shared/training/trained_codebook.hpp"

namespace knnseq::stages {

namespace {

index::Codebook agreed_codebook(runtime::StageContext& context, const BuiltDatastore& datastore) {
  index::Codebook codebook;
  comm::agree(context.comm,
              [&] { codebook = read_trained_codebook(datastore.first().paths.step("train")); });
  return codebook;
}

/// A shard of one sentence.
store::CorpusShard make_shard(const LearnedPair& pair, std::int64_t first_entry,
                              std::int64_t line) {
  store::CorpusShard shard;
  shard.source_tokens.assign(pair.source.begin(), pair.source.end());
  shard.target_tokens.assign(pair.target.begin(), pair.target.end());
  shard.source_starts = {0, std::ssize(pair.source)};
  shard.sentence_starts = {0, std::ssize(pair.target)};
  shard.sentence_numbers = shard.line_numbers = {line};
  shard.entry_starts = {first_entry};
  shard.batch_starts = {0, 1};
  return shard;
}

at::Tensor joined(const at::Tensor& first, const at::Tensor& second) {
  return first.defined() ? at::cat({first, second}) : second;
}

}  // namespace

LearnedEntries::LearnedEntries(runtime::StageContext& context, const Options& options,
                               const BuiltDatastore& datastore)
    : context_(context),
      key_options_(options.datastore),
      first_entry_(datastore.entries()),
      codebook_(agreed_codebook(context, datastore)),
      quantizer_(codebook_) {
  key_options_.keys = datastore.first().datastore.made_from.keys;
  key_options_.sentence_keys = key_options_.log_probs = false;
}

index::CodedEntries LearnedEntries::code(model::TranslationModel& model,
                                         const LearnedPair& pair) const {
  const auto shard = make_shard(pair, entries_, 0);
  const BatchEncoder encoder(model, key_options_);
  encoder.require_corpus(shard);
  const at::Tensor keys = encoder.encode_batch(shard, 0).keys.to(at::kCPU);
  require_finite(at::isfinite(keys).all(1), shard, 0, key_options_.keys);
  index::CodedEntries coded;
  const at::Tensor rotated = quantizer_.rotate(keys);
  if (codebook_.spec.has_lists()) coded.lists = quantizer_.assign_exact(rotated);
  coded.codes = quantizer_.encode(rotated, coded.lists);
  return coded;
}

store::CorpusShard LearnedEntries::keep(const LearnedPair& pair, index::CodedEntries coded,
                                        std::int64_t line) {
  auto shard = make_shard(pair, entries_, line);
  std::vector<std::int64_t> ids;
  for (const auto token : pair.target) {
    ids.push_back(core::pack_entry_id(token, first_entry_ + entries_ + std::ssize(ids)));
  }
  if (coded.lists.defined()) coded_.lists = joined(coded_.lists, coded.lists);
  coded_.codes = joined(coded_.codes, coded.codes);
  coded_.ids = joined(coded_.ids, at::tensor(ids, at::kLong));
  entries_ += std::ssize(ids);
  return shard;
}

std::unique_ptr<retrieval::KnnSearch> LearnedEntries::search(
    const retrieval::SearchOptions& options) {
  return make_search(context_, open_entries(context_, codebook_, coded_, options), options);
}

}  // namespace knnseq::stages
