#include "stages/prune/prune.hpp"

#include <atomic>
#include <cmath>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "index/faiss_io/crowded_entries.hpp"
#include "index/prune/prune_shards.hpp"
#include "obs/progress_meter.hpp"
#include "obs/table.hpp"
#include "obs/terminal.hpp"
#include "runtime/long_work.hpp"
#include "runtime/progress.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stage_runner.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/decode/decode.hpp"
#include "stages/decode/score_decoding.hpp"
#include "stages/prune/log_probs.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/shards/built_datastore.hpp"
#include "stages/shared/shards/compute_thread.hpp"
#include "stages/shared/shards/shard_keys.hpp"
#include "stages/shared/training/trained_codebook.hpp"

namespace knnseq::stages {

namespace {

/// What is pruned.
struct Unpruned {
  CorpusManifest corpus;
  DatastoreManifest datastore;
  CodebookManifest codebook;
  IndexManifest index;
};

Unpruned read_unpruned(runtime::StageContext& context, const Options& options,
                       const CorpusPaths& paths) {
  const PruneOptions& wanted = paths.prune;
  comm::agree(context.comm, [&] {
    if (wanted.on()) return;
    throw core::InputError("datastore.prune",
                           "says neither a probability nor a distance: nothing is to be pruned");
  });
  const Unpruned made{corpus_manifest(context, options, paths),
                      manifest_of<DatastoreManifest>(context, paths.step("encode")),
                      manifest_of<CodebookManifest>(context, paths.step("train")),
                      manifest_of<IndexManifest>(context, paths.step("add"))};
  comm::agree(context.comm, [&] {
    const std::string add = paths.command("add");
    require_made_from({"datastore", made.index.codes.vectors, add}, made.datastore.identity);
    require_made_from({"codebook", made.index.codes.codebook, add}, made.codebook.identity);
    if (wanted.distance && made.codebook.facts.lists == 0) {
      throw core::InputError(
          "datastore.prune.distance",
          "compares the entries of a list: " + made.codebook.facts.factory + " has none");
    }
  });
  return made;
}

/// One prune of one corpus.
class Pruning {
 public:
  Pruning(runtime::StageContext& context, const CorpusPaths& paths, const Unpruned& made,
          std::optional<double> spread)
      : context_(context),
        paths_(paths),
        made_(made),
        spread_(spread),
        team_(runtime::make_shard_team(context.comm, made.corpus.shards)),
        ids_{made.datastore.keys.vocab_size, made.index.first_entry + made.corpus.entries},
        dropped_(made.index.first_entry, made.corpus.entries) {
    comm::agree(context_.comm, [&] {
      codebook_ = read_trained_codebook(paths_.step("train"));
      for (std::int64_t shard = 0; shard < made_.corpus.shards; ++shard) {
        const bool mine = shard % context_.comm.size() == context_.comm.rank();
        const auto file = runtime::shard_name(shard) + ".faiss";
        shards_.push_back(
            mine ? checked_shard_file(paths_.index, shard,
                                      "run 'knnseq " + paths_.command("add") + " --force'")
                 : paths_.index / file);
      }
    });
  }

  /// Leaves out what the model gives at least this probability, but for the ends of sentences:
  /// where no neighbour ends, translations go on and on.
  void drop_sure(double probability) {
    const auto& folder = made_.datastore.stores_log_probs() ? paths_.datastore
                                                            : paths_.step("prune-log-probs").folder;
    const auto least = static_cast<float>(std::log(probability));
    comm::agree(context_.comm, [&] {
      if (!team_.comm->is_root()) return;
      for (const auto shard : team_.shards) drop_sure_of(folder, shard, least);
    });
    context_.comm.all_reduce(dropped_.words(), comm::Reduction::sum);
    sure_ = dropped_.count();
  }

  /// Leaves out what has `neighbours` like it within `distance` spreads.
  void drop_like(std::int64_t neighbours, double distance) {
    if (!spread_) spread_ = measure_spread();
    const index::LikeRule rule{neighbours, static_cast<float>(distance * *spread_)};
    auto like = dropped_;
    look_at_lists([&](const index::IndexLists& lists, const index::EntryCounter& count) {
      like = index::find_like_entries(lists, rule, dropped_, count);
    });
    context_.comm.all_reduce(like.words(), comm::Reduction::sum);
    like_ = like.count();
    dropped_.insert(like);
  }

  runtime::StageOutcome write() {
    const auto folder = paths_.step("prune").folder;
    runtime::ShardJobs jobs(context_, team_, folder, {"entries", made_.corpus.entries});
    std::int64_t crowded = 0;
    runtime::ShardWork work;
    work.result = ".faiss";
    work.prepare = [&](std::int64_t shard) {
      const auto& facts = made_.corpus.of_shard(shard);
      return runtime::ShardPlan{{}, {facts.at("entries").get<std::int64_t>()}};
    };
    work.compute = [](std::int64_t, const runtime::Abandoned&) {
      return runtime::ComputedUnit{{}, [](store::ShardFile&) {}};
    };
    work.finish = [&](std::int64_t shard) {
      const auto file = folder / (runtime::shard_name(shard) + ".faiss");
      const auto pruned = index::write_pruned_shard(
          file, codebook_, shards_[shard], ids_,
          [&](std::int64_t entry) { return dropped_.contains(entry) ? std::int64_t{-1} : entry; });
      crowded += pruned.crowded;
      return core::Json{{"entries", pruned.entries}, {"fingerprint", core::fingerprint_file(file)}};
    };
    auto outcome = jobs.run(work);
    const std::int64_t kept = made_.corpus.entries - dropped_.count();
    crowded = context_.comm.all_reduce(crowded, comm::Reduction::sum);
    if (crowded > 0 && context_.comm.is_root()) {
      context_.log.warn(index::warning_of_crowd(codebook_.spec, crowded, kept));
    }
    outcome.content.update({{"entries", kept},
                            {"sure_entries", sure_},
                            {"like_entries", like_},
                            {"spread", spread_.value_or(0)}});
    return outcome;
  }

 private:
  void drop_sure_of(const std::filesystem::path& folder, std::int64_t shard, float least) {
    const auto corpus = store::CorpusShard::read(paths_.text, runtime::shard_name(shard),
                                                 made_.corpus.of_shard(shard));
    const ShardKeys log_probs(folder, shard, log_probs_name, store::DataType::float16,
                              /*dimensions=*/1);
    const auto units = store::cut_units(corpus);
    for (std::int64_t unit = 0; unit < std::ssize(units); ++unit) {
      const auto rows = corpus.entries_of(units[unit]);
      std::vector<at::Half> values(static_cast<std::size_t>(rows.size()));
      log_probs.read_bytes(unit, rows.begin, std::as_writable_bytes(std::span(values)));
      for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        if (static_cast<float>(values[row - rows.begin]) < least || corpus.ends_sentence(row)) {
          continue;
        }
        dropped_.insert(made_.index.first_entry + corpus.entry_number(row));
      }
    }
  }

  double measure_spread() {
    std::vector<double> spreads;
    look_at_lists([&](const index::IndexLists& lists, const index::EntryCounter& count) {
      spreads = index::list_spreads(lists, count);
    });
    context_.comm.all_reduce(std::span(spreads), comm::Reduction::sum);  // the others have 0
    double sum = 0;
    for (const auto spread : spreads) sum += spread;
    return sum / static_cast<double>(std::max<std::int64_t>(1, made_.corpus.entries));
  }

  /// `look` at this rank's part of the lists, beside signs of life. Collective.
  void look_at_lists(
      const std::function<void(const index::IndexLists&, const index::EntryCounter&)>& look) {
    auto& comm = context_.comm;
    const index::IndexLists lists{codebook_, shards_, ids_, comm.rank(), comm.size()};
    runtime::Progress progress(context_, "entries", made_.corpus.entries);
    std::atomic<std::int64_t> done = 0;
    std::exception_ptr failure;
    try {
      const auto work = [&] {
        const ComputeThread thread(at::kCPU);
        look(lists, [&](std::int64_t entries) {
          done += entries;
          if (runtime::stop_requested()) {
            throw core::Stopped("stopped by SIGUSR1; run again (without --force) to go on");
          }
        });
      };
      runtime::run_beside(progress, work, [&] { return done.exchange(0); });
    } catch (const core::Error&) {
      failure = std::current_exception();
    }
    progress.finish();
    comm::agree(comm, [&] {
      if (failure) std::rethrow_exception(failure);
    });
  }

  runtime::StageContext& context_;
  const CorpusPaths& paths_;
  const Unpruned& made_;
  std::optional<double> spread_;
  runtime::ShardTeam team_;
  index::Codebook codebook_;
  std::vector<std::filesystem::path> shards_;  ///< files of add
  index::IdBounds ids_;
  index::EntrySet dropped_;
  std::int64_t sure_ = 0;
  std::int64_t like_ = 0;
};

void report_pruning(runtime::StageContext& context, const CorpusPaths& paths,
                    const Unpruned& made) {
  const StageRef step = paths.step("prune");
  comm::on_root(context.comm, [&] {
    const auto manifest = runtime::require_manifest(step.folder, step.stage, step.command);
    const auto content = manifest.content_fields();
    const auto all = made.corpus.entries;
    const auto kept = content.at("entries").number(0, all);
    const auto share = [&](std::int64_t some) {
      return fmt::format("{:.1f} %", 100.0 * static_cast<double>(some) /
                                         static_cast<double>(std::max<std::int64_t>(1, all)));
    };
    const auto bytes = [&](const std::filesystem::path& folder) {
      std::int64_t sum = 0;
      for (std::int64_t shard = 0; shard < made.corpus.shards; ++shard) {
        sum += static_cast<std::int64_t>(
            std::filesystem::file_size(folder / (runtime::shard_name(shard) + ".faiss")));
      }
      return obs::as_bytes(sum);
    };
    std::string why;
    if (paths.prune.probability) {
      why +=
          fmt::format("; {} sure by themselves", share(content.at("sure_entries").number(0, all)));
    }
    if (paths.prune.distance) {
      why += fmt::format("; {} like others", share(content.at("like_entries").number(0, all)));
    }
    context.log.info(fmt::format("kept {} of {} entries ({}{}); the index has {} instead of {}",
                                 obs::with_commas(kept), obs::with_commas(all), share(kept), why,
                                 bytes(step.folder), bytes(paths.index)));
  });
}

}  // namespace

void prune(runtime::StageContext& context, const Options& options, const CorpusPaths& paths) {
  const StageRef step = paths.step("prune");
  context.log.set_stage(step.stage);
  const Unpruned made = read_unpruned(context, options, paths);
  const PruneOptions& wanted = paths.prune;
  if (wanted.probability && !made.datastore.stores_log_probs()) {
    make_log_probs(context, options, paths, made.corpus);
  }
  core::Json inputs = {{"index", made.index.codes.identity}};
  std::optional<double> spread;
  if (wanted.probability) inputs["probability"] = *wanted.probability;
  if (wanted.distance) {
    inputs["distance"] = *wanted.distance;
    inputs["neighbours"] = wanted.neighbours;
    if (paths.appended()) {
      spread = manifest_of<PrunedManifest>(context, first_corpus(options).step("prune")).spread;
      inputs["spread"] = *spread;
    }
  }
  runtime::run_stage(context, {step.stage, step.folder, inputs, [&] {
                                 Pruning pruning(context, paths, made, spread);
                                 if (wanted.probability) pruning.drop_sure(*wanted.probability);
                                 if (wanted.distance)
                                   pruning.drop_like(wanted.neighbours, *wanted.distance);
                                 return pruning.write();
                               }});
  report_pruning(context, paths, made);
}

void measure_pruning(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("prune");
  const auto folder = Folders(context.run_dir).pruned;
  Resident resident;
  std::vector<obs::Cells> lines = {{"index", "BLEU", "chrF"}};
  for (const bool pruned : {false, true}) {
    Options tried = options;
    if (!pruned) tried.datastore.prune = {};
    auto decoding = options.tune.decoding;
    decoding.name = pruned ? "measured-pruned" : "measured-whole";
    decode_one(context, tried, decoding, folder, "prune", resident);
    Scores scores;
    comm::agree(context.comm, [&] {
      scores = score_decoding(options, folder / decoding.name, "prune-" + decoding.name, "prune");
    });
    lines.push_back({pruned ? "pruned" : "whole", fmt::format("{:.2f}", scores.bleu),
                     fmt::format("{:.2f}", scores.chrf)});
  }
  if (context.comm.is_root()) obs::print("\n" + obs::markdown_table(lines, 1, 3));
}

}  // namespace knnseq::stages
