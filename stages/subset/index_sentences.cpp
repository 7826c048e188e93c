#include "stages/subset/index_sentences.hpp"

#include "comm/agreement.hpp"
#include "retrieval/subset/sentence_finder.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/sample/distribute_sample_rows.hpp"
#include "stages/shared/shards/code_shards.hpp"
#include "stages/shared/training/codebook_training.hpp"
#include "stages/subset/sentence_sample.hpp"

namespace knnseq::stages {

namespace {

void train_sentences(runtime::StageContext& context, const Options& options,
                     const SentenceVectors& vectors, const CorpusManifest& corpus) {
  const SubsetSteps steps(first_corpus(options));
  index::IndexSpec spec;
  comm::agree(context.comm, [&] {
    spec = index::parse_index_spec(options.subset.index, vectors.width, options.subset.metric);
    options.index.training.validate();
  });
  const auto sample =
      SampleSpec{options.subset.sample, options.datastore.sample.seed}.of(corpus.sentences);
  core::Json inputs = {
      {"vectors", vectors.identity},     {"factory", spec.factory()},
      {"metric", options.subset.metric}, {"sample", sample.size},
      {"sample_seed", sample.seed},      {"device", context.placement.device.name()},
      {"threads", options.threads}};
  inputs.update(training_inputs(options.index.training));
  runtime::run_stage(
      context, {steps.sentence_codebook.stage, steps.sentence_codebook.folder, inputs,
                [&] {
                  return train_in_folder(
                      context, steps.sentence_codebook.folder,
                      {spec, options.index.training, sample.size, "subset.sample"}, [&] {
                        const auto rows = read_sentence_sample(
                            context, {options, corpus, vectors.source}, sample);
                        return distribute_sample_rows(context.comm, rows, vectors.width, at::kHalf);
                      });
                },
                training_files()});
  remove_checkpoint(context, steps.sentence_codebook.folder);
}

at::Tensor sentence_ids(const store::CorpusShard& corpus, std::int64_t shard,
                        std::int64_t first_sentence) {
  at::Tensor ids = at::empty({corpus.sentences()}, at::kLong);
  auto* id = ids.mutable_data_ptr<std::int64_t>();
  for (const auto number : corpus.sentence_numbers) {
    *id++ = retrieval::pack_sentence_id(shard, first_sentence + number);
  }
  return ids;
}

}  // namespace

void index_sentences(runtime::StageContext& context, const Options& options,
                     const CorpusPaths& paths, std::int64_t first_sentence) {
  const SubsetSteps steps(paths);
  const auto vectors = find_sentence_vectors(context, options, paths);
  const auto corpus = corpus_manifest(context, options, paths);
  comm::agree(context.comm, [&] {
    require_made_from({"corpus", vectors.corpus, paths.command("encode")}, corpus.identity);
  });
  if (!paths.appended()) train_sentences(context, options, vectors, corpus);
  const auto codebook = manifest_of<CodebookManifest>(context, steps.sentence_codebook);
  core::Json inputs = {{"corpus", corpus.identity},     {"vectors", vectors.identity},
                       {"codebook", codebook.identity}, {"device", context.placement.device.name()},
                       {"threads", options.threads},    {"unit_entries", store::unit_entries}};
  if (paths.appended()) inputs["first_sentence"] = first_sentence;
  const auto ids = [&](const store::CorpusShard& shard, std::int64_t number) {
    return sentence_ids(shard, number, first_sentence);
  };
  const ShardCoding coding{paths, corpus, vectors.source, steps.sentence_codebook,
                           steps.sentence_index.folder};
  runtime::run_stage(context, {steps.sentence_index.stage, steps.sentence_index.folder, inputs,
                               [&] { return code_shards(context, coding, ids); }});
}

}  // namespace knnseq::stages
