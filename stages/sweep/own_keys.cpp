#include "stages/sweep/own_keys.hpp"

#include "runtime/progress.hpp"
#include "stages/shared/shards/shard_keys.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

void visit_own_keys(runtime::StageContext& context, const KeySource& source,
                    const runtime::ShardTeam& team,
                    const std::function<void(const KeyUnit&)>& visit) {
  const SampledCorpus& text = source.datastore.corpus;
  runtime::Progress progress(context, "entries", text.entries);
  for (const auto shard : team.shards) {
    const auto name = runtime::shard_name(shard);
    const auto corpus = store::CorpusShard::read(text.folder, name, text.shards.at(name));
    const auto units = store::cut_units(corpus);
    const auto ids = entry_ids(corpus, source.vocab_size);
    const ShardKeys keys(source.datastore.folder, shard);
    for (std::int64_t unit = team.member(); unit < std::ssize(units); unit += team.members()) {
      const auto batches = units[unit];
      const auto rows = corpus.entries_of(batches);
      KeyUnit read{keys.read(unit, rows), ids.slice(0, rows.begin, rows.end), {}};
      for (auto batch = batches.begin; batch < batches.end; ++batch) {
        const auto of_batch = corpus.entries_of({batch, batch + 1});
        read.batches.push_back({of_batch.begin - rows.begin, of_batch.end - rows.begin});
      }
      visit(read);
      progress.add(rows.size());
    }
  }
  progress.finish();
}

}  // namespace knnseq::stages
