#include "stages/sweep/measure_grid.hpp"

#include <optional>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "gpu/torch_device.hpp"
#include "index/faiss_io/crowded_entries.hpp"
#include "index/train/train_codebook.hpp"
#include "obs/progress_meter.hpp"
#include "obs/resources.hpp"
#include "runtime/stage_runner.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/sample/read_sample.hpp"
#include "stages/shared/training/codebook_training.hpp"
#include "stages/sweep/exact_neighbours.hpp"
#include "stages/sweep/held_out_queries.hpp"
#include "stages/sweep/measure_search.hpp"
#include "stages/sweep/search_settings.hpp"
#include "stages/sweep/share.hpp"
#include "stages/sweep/share_entries.hpp"
#include "store/journal.hpp"

namespace knnseq::stages {

namespace {

constexpr const char* journal_name = "sweep.journal.0";
constexpr const char* unpacked_queries = "unpacked";  ///< a folder, while text is read

/// All functions are collective.
class Grid {
 public:
  Grid(runtime::StageContext& context, const Options& options,
       const std::vector<index::IndexSpec>& specs, const KeySource& keys)
      : context_(context),
        comm_(context.comm),
        options_(options),
        grid_(options.sweep),
        folder_(Folders(context.run_dir).sweep),
        specs_(specs),
        keys_(keys),
        team_(runtime::make_shard_team(context.comm, options.shards)) {}

  std::vector<SweepRow> run() {
    if (context_.placement.device.cuda) {
      context_.log.info("indexes are trained and filled on GPUs; searches are timed on CPUs");
    }
    std::vector<SweepRow> rows;
    for (std::size_t share = 0; share < grid_.shares.size(); ++share) {
      for (const auto& spec : specs_) {
        if (auto row = finished_row(spec, grid_.shares[share])) {
          rows.push_back(std::move(*row));
          continue;
        }
        stop_if_asked();
        prepare();
        rows.push_back(measure(spec, share));
        commit(rows.back());
      }
    }
    return rows;
  }

 private:
  std::optional<SweepRow> finished_row(const index::IndexSpec& spec, std::int64_t share) {
    if (!finished_) {
      core::Json records = core::Json::array();
      comm::on_root(comm_, [&] {
        owner_ = runtime::begun_identity(folder_);
        records =
            store::Journal::read_all(folder_, journal_name, owner_,
                                     [](const core::JsonField& record) { record.as<SweepRow>(); });
      });
      finished_ = core::Json::parse(comm_.broadcast_string(records.dump()));
    }
    for (const auto& record : *finished_) {
      const SweepRow row = record;
      if (row.index == spec.factory() && row.share == share) return row;
    }
    return std::nullopt;
  }

  void commit(const SweepRow& row) {
    comm::on_root(comm_, [&] { store::Journal(folder_ / journal_name, owner_).append(row); });
    if (!row.note.empty() && comm_.is_root()) {
      context_.log.warn(fmt::format("{} over {}: {}", row.index, share_name(row.share), row.note));
    }
  }

  void stop_if_asked() {
    if (comm_.all(!runtime::stop_requested())) return;
    comm::agree(comm_, [] {
      throw core::Stopped(
          "stopped by SIGUSR1; what was measured is kept, run again (without --force) to go on");
    });
  }

  /// Queries and their true neighbours, once.
  void prepare() {
    if (queries_.defined()) return;
    queries_ = held_out_queries(context_, options_, folder_ / unpacked_queries);
    context_.log.info("exact search");
    // More than the largest k, for neighbours as near as the k-th.
    const std::int64_t k = 2 * grid_.k.back() + 64;
    exact_ =
        find_exactly(context_, keys_, team_, {queries_, specs_.front().metric, grid_.shares, k});
  }

  index::SampleBlocks sample_of(std::int64_t share) {
    return read_sample(context_, keys_.datastore, keys_.sample, queries_.size(1),
                       [share](std::int64_t entry) { return in_share(entry, share); });
  }

  SweepRow measure(const index::IndexSpec& spec, std::size_t share) {
    SweepRow row;
    row.index = spec.factory();
    row.share = grid_.shares[share];
    row.entries = exact_.entries[share];
    row.queries = queries_.size(0);
    row.ranks = comm_.size();
    const auto settings = settings_for(spec, grid_);
    row.note = settings.left_out;
    if (settings.all.empty()) return row;
    if (row.entries < grid_.k.back()) {
      row.note = fmt::format("{} entries are fewer than k {}", row.entries, grid_.k.back());
      return row;
    }
    context_.log.info(fmt::format("{} over {} ({} entries)", row.index, share_name(row.share),
                                  obs::with_commas(row.entries)));
    const auto codebook = train(spec, row);
    if (!codebook) return row;
    auto search = add(*codebook, row);
    const SearchTask task{queries_, exact_.truth[share], grid_.k};
    for (const auto& setting : settings.all) {
      row.points.push_back(measure_search(comm_, search, task, setting));
    }
    return row;
  }

  /// std::nullopt if the share's sample is too small for this index; the note then says so.
  std::optional<index::Codebook> train(const index::IndexSpec& spec, SweepRow& row) {
    const obs::Stopwatch watch;
    auto sample = sample_of(row.share);
    CodebookTask task{spec, options_.index.training, sample.total_rows};
    task.value_bytes = bytes_of(keys_.datastore.type);
    task.options.log = [&](const std::string& line) {
      context_.log.event("iteration", {{"message", row.index + ": " + line}});
    };
    task.options.warn = [&](const std::string& line) {
      if (comm_.is_root()) context_.log.warn(row.index + ": " + line);
    };
    index::Codebook codebook;
    try {
      require_device_memory(context_, task);
      codebook = train_on_devices(context_, task, std::move(sample));
    } catch (const core::Error& e) {  // thrown on all ranks alike, if it is the input's fault
      if (e.code() != core::ExitCode::bad_input) throw;
      row.note = e.what();
      return std::nullopt;
    }
    if (!codebook.coarse_graph) index::build_coarse_graph(codebook);
    row.train_seconds = slowest(watch);
    return codebook;
  }

  retrieval::DistributedSearch add(const index::Codebook& codebook, SweepRow& row) {
    const obs::Stopwatch watch;
    ShareEntries entries(codebook, gpu::torch_device(context_.placement.device), row.share);
    visit_own_keys(context_, keys_, team_, [&](const KeyUnit& unit) { entries.add(unit); });
    std::unique_ptr<index::LocalIndex> local;
    std::int64_t crowded = 0;
    comm::agree(comm_, [&] {
      const auto taken = entries.take();
      local = index::make_local_index(codebook, taken);
      crowded = index::count_crowded(codebook.spec, index::span_of<std::uint8_t>(taken.codes));
    });
    row.add_seconds = slowest(watch);
    crowded = comm_.all_reduce(crowded, comm::Reduction::sum);
    note(row, index::warning_of_crowd(codebook.spec, crowded, row.entries));
    const auto bytes = comm_.all_reduce(local->bytes(), comm::Reduction::sum);
    row.bytes_per_entry = static_cast<double>(bytes) / static_cast<double>(row.entries);
    return {comm_, codebook, std::move(local), retrieval::SearchOptions{}};
  }

  static void note(SweepRow& row, const std::string& more) {
    if (!row.note.empty() && !more.empty()) row.note += "; ";
    row.note += more;
  }

  double slowest(const obs::Stopwatch& watch) {
    return comm_.all_reduce(watch.seconds(), comm::Reduction::max);
  }

  runtime::StageContext& context_;
  comm::Communicator& comm_;
  const Options& options_;
  const SweepOptions& grid_;
  std::filesystem::path folder_;
  const std::vector<index::IndexSpec>& specs_;
  const KeySource& keys_;
  runtime::ShardTeam team_;
  std::string owner_;  ///< what the stage was begun with; rank 0's
  std::optional<core::Json> finished_;
  at::Tensor queries_;
  ExactAnswers exact_;
};

}  // namespace

std::vector<SweepRow> measure_grid(runtime::StageContext& context, const Options& options,
                                   const std::vector<index::IndexSpec>& specs,
                                   const KeySource& keys) {
  return Grid(context, options, specs, keys).run();
}

std::vector<std::string> grid_files() {
  return {journal_name, unpacked_queries + std::string("/")};
}

void remove_finished_rows(const std::filesystem::path& folder) {
  std::filesystem::remove(folder / journal_name);
}

}  // namespace knnseq::stages
