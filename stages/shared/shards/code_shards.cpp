#include "stages/shared/shards/code_shards.hpp"

#include "comm/agreement.hpp"
#include "gpu/torch_device.hpp"
#include "index/faiss_io/crowded_entries.hpp"
#include "runtime/shard_jobs.hpp"
#include "stages/shared/shards/unit_report.hpp"
#include "stages/shared/training/trained_codebook.hpp"

namespace knnseq::stages {

namespace {

/// Entries of the indexes that this run has written.
struct Written {
  std::int64_t entries = 0;
  std::int64_t crowded = 0;  ///< index::count_crowded()
  std::int64_t bytes = 0;    ///< of their files
};

void warn_of_crowd(runtime::StageContext& context, const index::IndexSpec& spec, Written written) {
  written.entries = context.comm.all_reduce(written.entries, comm::Reduction::sum);
  written.crowded = context.comm.all_reduce(written.crowded, comm::Reduction::sum);
  if (written.crowded == 0 || !context.comm.is_root()) return;
  context.log.warn(index::warning_of_crowd(spec, written.crowded, written.entries));
}

}  // namespace

runtime::StageOutcome code_shards(runtime::StageContext& context, const ShardCoding& coding,
                                  const ShardIds& ids) {
  const bool entries = coding.vectors.rows == CodedRows::entries;
  const char* unit_name = entries ? "entries" : "sentences";
  const std::int64_t rows = entries ? coding.corpus.entries : coding.corpus.sentences;
  index::Codebook codebook;
  comm::agree(context.comm, [&] { codebook = read_trained_codebook(coding.codebook); });
  const index::VectorQuantizer quantizer(codebook, gpu::torch_device(context.placement.device));
  ShardCoder shard_coder(quantizer, coding.vectors);

  const auto team = runtime::make_shard_team(context.comm, coding.corpus.shards);
  runtime::ShardJobs jobs(context, team, coding.folder, {unit_name, rows});
  store::CorpusShard corpus;
  std::vector<core::Range> units;
  Written written;
  runtime::ShardWork work;
  work.result = ids ? ".faiss" : ".h5";
  work.prepare = [&](std::int64_t shard) {
    const auto name = runtime::shard_name(shard);
    corpus = store::CorpusShard::read(coding.paths.text, name, coding.corpus.of_shard(shard));
    units = store::cut_units(corpus);
    shard_coder.open_shard(corpus, shard);
    runtime::ShardPlan plan{shard_coder.layout(), {}, store::make_label("codes")};
    plan.label["index"] = codebook.spec.factory();
    plan.label["metric"] = core::name_of(codebook.spec.metric);
    for (const auto& batches : units) {
      plan.unit_items.push_back(shard_coder.rows_of(batches).size());
    }
    return plan;
  };
  work.compute = [&](std::int64_t unit, const runtime::Abandoned& abandoned) {
    return shard_coder.compute_unit(unit, units[unit], abandoned);
  };
  work.finish = [&](std::int64_t shard) {
    core::Json manifest = {{unit_name, shard_coder.rows()}};
    if (ids) {
      const auto path = (coding.folder / runtime::shard_name(shard)).string();
      written.crowded += shard_coder.write_index(path + ".h5", path + ".faiss", ids(corpus, shard));
      written.entries += shard_coder.rows();
      written.bytes += static_cast<std::int64_t>(std::filesystem::file_size(path + ".faiss"));
      manifest["fingerprint"] = core::fingerprint_file(path + ".faiss");
    }
    return manifest;
  };
  runtime::StageOutcome outcome = jobs.run(work);
  const UnitReport report = report_units(context, jobs.seconds(), shard_coder.cost());
  context.log.info(report.text);
  warn_of_crowd(context, codebook.spec, written);
  outcome.work.details = report.record;
  if (ids) outcome.work.bytes = written.bytes;  // the units' files are gone
  outcome.content[unit_name] = rows;
  return outcome;
}

}  // namespace knnseq::stages
