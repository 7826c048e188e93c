#include "stages/subset/sentence_sample.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "runtime/shard_team.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

namespace {

/// Appends those of a unit's sentences that belong to the sample.
void take_sentences(const store::CorpusShard& corpus, core::Range sentences,
                    const at::Tensor& vectors, const SampleRule& rule, SampleRows& rows) {
  const auto* vector = static_cast<const std::byte*>(vectors.const_data_ptr());
  const auto bytes = vectors.size(1) * static_cast<std::int64_t>(vectors.element_size());
  for (auto i = sentences.begin; i < sentences.end; ++i, vector += bytes) {
    const auto number = corpus.sentence_numbers[i];
    if (!rule.contains(number)) continue;
    rows.entries.push_back(number);
    rows.keys.insert(rows.keys.end(), vector, vector + bytes);
  }
}

}  // namespace

SampleRows read_sentence_sample(runtime::StageContext& context, const SentenceSource& source,
                                const SampleSpec& sample) {
  const CorpusPaths paths = first_corpus(source.options);
  const auto rule = make_sample_rule(context.comm, source.corpus.sentences, sample);
  const auto team = runtime::make_shard_team(context.comm, source.options.shards);
  SampleRows rows;
  comm::agree(context.comm, [&] {
    for (const auto shard : team.shards) {
      const auto name = runtime::shard_name(shard);
      const auto corpus = store::CorpusShard::read(paths.text, name, source.corpus.of_shard(shard));
      const auto units = store::cut_units(corpus);
      const ShardKeys vectors(source.vectors.folder, shard, source.vectors.dataset,
                              store::DataType::float16);
      for (auto unit = static_cast<std::size_t>(team.member()); unit < units.size();
           unit += static_cast<std::size_t>(team.members())) {
        const auto sentences = corpus.sentences_of(units[unit]);
        take_sentences(corpus, sentences, vectors.read(static_cast<std::int64_t>(unit), sentences),
                       rule, rows);
      }
    }
  });
  const auto found = context.comm.all_reduce(std::ssize(rows.entries), comm::Reduction::sum);
  comm::agree(context.comm, [&] {
    if (found == sample.size) return;
    throw core::InputError(
        paths.text, fmt::format("holds {} of the sample's {} sentences", found, sample.size));
  });
  return rows;
}

}  // namespace knnseq::stages
