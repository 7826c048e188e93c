#include "stages/export/export.hpp"

#include <algorithm>
#include <atomic>
#include <limits>

#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "index/faiss_io/crowded_entries.hpp"
#include "index/faiss_io/export_index.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/long_work.hpp"
#include "runtime/stage_runner.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/shards/built_datastore.hpp"
#include "stages/shared/training/trained_codebook.hpp"
#include "store/npy_file.hpp"

namespace knnseq::stages {

namespace {

constexpr const char* index_name = "index.faiss";
constexpr const char* values_name = "values.npy";
/// In values.npy, of the entries that the index does without.
constexpr std::uint32_t left_out = std::numeric_limits<std::uint32_t>::max();

using Files = std::vector<std::filesystem::path>;

/// The files of all shards, each compared with its manifest by one rank.
Files check_files(comm::Communicator& comm, const BuiltDatastore& datastore) {
  Files files;
  std::int64_t next = 0;
  comm::agree(comm, [&] {
    for (const auto& built : datastore.corpora) {
      for (std::int64_t shard = 0; shard < built.shards(); ++shard) {
        const bool mine = next++ % comm.size() == comm.rank();
        files.push_back(mine ? checked_index_file(built.paths, shard)
                             : index_file(built.paths, shard));
      }
    }
  });
  return files;
}

void require_space(const std::filesystem::path& folder, const Files& shards, std::int64_t entries) {
  std::uintmax_t needed = static_cast<std::uintmax_t>(entries) * sizeof(std::uint32_t);
  for (const auto& file : shards) needed += std::filesystem::file_size(file);
  const auto free = std::filesystem::space(folder).available;
  if (free >= needed) return;
  throw core::SystemError(fmt::format("{}: the export needs up to {}, {} are free", folder.string(),
                                      obs::as_bytes(static_cast<std::int64_t>(needed)),
                                      obs::as_bytes(static_cast<std::int64_t>(free))));
}

/// Writes both files, counting entries in `done`. Returns what export_index() does.
std::int64_t write_files(const std::filesystem::path& folder, const index::Codebook& codebook,
                         const Files& shards, const index::IdBounds& ids, std::int64_t searched,
                         std::atomic<std::int64_t>& done) {
  std::int64_t crowded = 0;
  core::publish_file(folder / values_name, [&](const std::filesystem::path& temporary) {
    store::NpyFile file(temporary, ids.entries);
    const auto values = file.values();
    if (searched < ids.entries) std::ranges::fill(values, left_out);
    const auto see = [&](std::span<const std::int64_t> some) {
      for (const auto id : some) {
        values[core::entry_number_of(id)] = static_cast<std::uint32_t>(core::token_of(id));
      }
      done += std::ssize(some);
      if (runtime::stop_requested()) {
        throw core::Stopped("stopped by SIGUSR1; run again to start over");
      }
    };
    crowded = index::export_index(folder / index_name, codebook, shards, ids, searched, see);
    file.close();
  });
  return crowded;
}

runtime::StageOutcome make_export(runtime::StageContext& context, const BuiltDatastore& datastore) {
  auto& comm = context.comm;
  const auto folder = Folders(context.run_dir).exported;
  const auto entries = datastore.searched_entries();
  const Files shards = check_files(comm, datastore);
  index::Codebook codebook;
  comm::on_root(comm, [&] {
    require_space(folder, shards, datastore.entries());
    codebook = read_trained_codebook(datastore.first().paths.step("train"));
    if (codebook.spec.storage == index::Storage::hnsw) {
      context.log.info("the graph over all entries is built anew");
    }
  });
  const index::IdBounds ids{datastore.first().datastore.keys.vocab_size, datastore.entries()};
  std::int64_t crowded = 0;
  runtime::Progress progress(context, "entries", entries);
  std::exception_ptr failure;
  if (comm.is_root()) {
    try {
      std::atomic<std::int64_t> done = 0;
      const auto work = [&] {
        const c10::InferenceMode no_gradients;
        crowded = write_files(folder, codebook, shards, ids, entries, done);
      };
      runtime::run_beside(progress, work, [&] { return done.exchange(0); });
    } catch (const core::Error&) {
      failure = std::current_exception();
    }
  }
  progress.finish();
  runtime::StageOutcome outcome;
  outcome.work.unit = "entries";
  comm::agree(comm, [&] {
    if (failure) std::rethrow_exception(failure);
    if (!comm.is_root()) return;
    if (crowded > 0) context.log.warn(index::warning_of_crowd(codebook.spec, crowded, entries));
    outcome.content = {{"entries", entries},
                       {"files", runtime::describe_files(folder, {index_name, values_name})}};
    outcome.work.items = entries;
    for (const auto& [name, facts] : outcome.content["files"].items()) {
      outcome.work.bytes += facts.at("bytes").get<std::int64_t>();
    }
  });
  return outcome;
}

}  // namespace

void export_datastore(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("export");
  corpus_manifest(context, options);
  const auto datastore = read_datastore(context, first_corpus(options), appended_corpora(options));
  core::Json inputs = {{"codebook", datastore.codebook.identity}, {"indexes", core::Json::array()}};
  for (const auto& built : datastore.corpora) {
    inputs["indexes"].push_back(built.identity());
  }
  runtime::run_stage(context, {"export",
                               Folders(context.run_dir).exported,
                               inputs,
                               [&] { return make_export(context, datastore); },
                               {index_name, values_name}});
}

}  // namespace knnseq::stages
