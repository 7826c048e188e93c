#include "stages/shared/shards/renumber_index.hpp"

#include "comm/agreement.hpp"
#include "runtime/shard_jobs.hpp"
#include "stages/shared/training/trained_codebook.hpp"

namespace knnseq::stages {

runtime::StageOutcome renumber_index(runtime::StageContext& context, const BuiltCorpus& built,
                                     const std::filesystem::path& folder, std::int64_t entries,
                                     const index::NewNumber& renumber) {
  index::Codebook codebook;
  comm::agree(context.comm, [&] { codebook = read_trained_codebook(built.paths.step("train")); });
  const index::IdBounds ids{built.datastore.keys.vocab_size,
                            built.paths.first_entry + built.entries()};
  const auto team = runtime::make_shard_team(context.comm, built.shards());
  runtime::ShardJobs jobs(context, team, folder, {"entries", entries});
  runtime::ShardWork work;
  work.result = ".faiss";
  work.prepare = [&](std::int64_t shard) {
    const auto& facts = built.corpus.of_shard(shard);
    return runtime::ShardPlan{{}, {facts.at("entries").get<std::int64_t>()}};
  };
  work.compute = [](std::int64_t, const runtime::Abandoned&) {
    return runtime::ComputedUnit{{}, [](store::ShardFile&) {}};
  };
  work.finish = [&](std::int64_t shard) {
    const auto from = checked_index_file(built.paths, shard);
    const auto to = folder / from.filename();
    const auto kept = index::write_pruned_shard(to, codebook, from, ids, renumber);
    return core::Json{{"entries", kept.entries}, {"fingerprint", core::fingerprint_file(to)}};
  };
  auto outcome = jobs.run(work);
  outcome.content["entries"] = entries;
  return outcome;
}

}  // namespace knnseq::stages
