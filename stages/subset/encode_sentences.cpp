#include "stages/subset/encode_sentences.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "model/sentence_encoder.hpp"
#include "runtime/input_files.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/search/built_subset.hpp"
#include "stages/shared/shards/compute_thread.hpp"
#include "stages/shared/text/sentence_block.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

namespace {

/// Encodes one batch of a shard: fp16 [sentences, d].
at::Tensor encode_batch(const model::SentenceEncoder& encoder, const text::Tokenizer& tokenizer,
                        const store::CorpusShard& corpus, core::Range sentences) {
  std::vector<std::string> texts;
  for (auto i = sentences.begin; i < sentences.end; ++i) {
    texts.push_back(
        tokenizer.decode_source(own_tokens(corpus.source(i), tokenizer.source_frame())));
  }
  const at::Tensor vectors = encoder.encode(texts).to(at::kHalf);
  if (at::isfinite(vectors).all().item<bool>()) return vectors;
  throw core::InputError(fmt::format(
      "subset.model gives a vector that is not finite in fp16 for one of lines {} … of the corpus",
      corpus.line_numbers[sentences.begin] + 1));
}

runtime::StageOutcome make_vectors(runtime::StageContext& context, const Options& options,
                                   const CorpusPaths& paths, const CorpusManifest& made) {
  std::unique_ptr<text::Tokenizer> tokenizer;
  std::optional<model::SentenceEncoder> encoder;
  comm::agree(context.comm, [&] {
    tokenizer = open_tokenizer(options);
    encoder.emplace(options.subset.model);
  });
  runtime::require_unchanged_inputs(context);
  const auto team = runtime::make_shard_team(context.comm, options.shards);
  runtime::ShardJobs jobs(context, team, SubsetSteps(paths).vectors.folder,
                          {"sentences", made.sentences});
  store::CorpusShard corpus;
  std::vector<core::Range> units;
  runtime::ShardWork work;
  work.prepare = [&](std::int64_t shard) {
    const auto name = runtime::shard_name(shard);
    corpus = store::CorpusShard::read(paths.text, name, made.of_shard(shard));
    store::require_tokens_below(corpus, tokenizer->source_vocab_size(), tokenizer->vocab_size());
    units = store::cut_units(corpus);
    runtime::ShardPlan plan{
        {{"sentence_vectors",
          store::DataType::float16,
          {corpus.sentences(), encoder->width()},
          {{"description", "vectors of the sources by an encoder of their own"}}}},
        {},
        store::make_label("sentence vectors", {{"corpus", made.identity}})};
    for (const auto& batches : units) {
      plan.unit_items.push_back(corpus.sentences_of(batches).size());
    }
    return plan;
  };
  work.compute = [&](std::int64_t unit, const runtime::Abandoned& abandoned) {
    const ComputeThread thread(at::kCPU);
    const auto batches = units[unit];
    std::vector<at::Tensor> vectors;
    for (auto batch = batches.begin; batch < batches.end; ++batch) {
      runtime::give_up_if(abandoned);
      vectors.push_back(
          encode_batch(*encoder, *tokenizer, corpus, corpus.sentences_of({batch, batch + 1})));
    }
    return runtime::ComputedUnit{
        {},
        [all = at::cat(vectors), row = corpus.sentences_of(batches).begin](store::ShardFile& file) {
          file.write("sentence_vectors", row,
                     std::span<const at::Half>(all.const_data_ptr<at::Half>(), all.numel()));
        }};
  };
  work.finish = [&](std::int64_t) { return core::Json{{"sentences", corpus.sentences()}}; };
  runtime::StageOutcome outcome = jobs.run(work);
  outcome.content["sentences"] = made.sentences;
  return outcome;
}

}  // namespace

void encode_sentences(runtime::StageContext& context, const Options& options,
                      const CorpusPaths& paths) {
  const auto corpus = corpus_manifest(context, options, paths);
  const core::Json inputs = {{"corpus", corpus.identity},
                             {"model", fingerprint_files(context, {options.subset.model})},
                             {"device", context.placement.device.name()},
                             {"threads", options.threads},
                             {"unit_entries", store::unit_entries}};
  const StageRef step = SubsetSteps(paths).vectors;
  runtime::run_stage(context, {step.stage, step.folder, inputs,
                               [&] { return make_vectors(context, options, paths, corpus); }});
}

}  // namespace knnseq::stages
