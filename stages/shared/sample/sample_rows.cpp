#include "stages/shared/sample/sample_rows.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/progress.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/shared/inputs/key_type.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "store/hdf5_file.hpp"
#include "store/hdf5_structure.hpp"
#include "store/verify_rows.hpp"

namespace knnseq::stages {

namespace {

/// One unit of a shard, as it was committed.
class Unit {
 public:
  /// All must live as long as this.
  Unit(const std::filesystem::path& path, const store::Hdf5File& file, const core::Json& ranges)
      : path_(path), file_(file), ranges_(ranges) {}

  void require(bool holds, const std::string& message) const {
    if (!holds) throw core::InputError(path_, "a unit " + message);
  }

  bool has(const std::string& dataset) const { return find(dataset) != ranges_.end(); }

  std::int64_t first_row(const std::string& dataset) const {
    return range(dataset).at("first_row");
  }
  std::int64_t bytes(const std::string& dataset) const { return range(dataset).at("bytes"); }

  /// Its values of a dataset (bytes: of any type), compared with their checksum.
  template <class T>
  std::vector<T> read(const std::string& dataset) const {
    const core::Json& of = range(dataset);
    std::vector<T> values(store::bytes_of_range(path_, file_, of) / sizeof(T));
    if constexpr (std::is_same_v<T, std::byte>) {
      file_.read_bytes(dataset, of.at("first_row"), values);
    } else {
      file_.read_rows(dataset, of.at("first_row"), std::span<T>(values));
    }
    store::verify_range(path_, of, std::as_bytes(std::span<const T>(values)));
    return values;
  }

 private:
  core::Json::const_iterator find(const std::string& dataset) const {
    return std::find_if(ranges_.begin(), ranges_.end(),
                        [&](const core::Json& r) { return r.at("dataset") == dataset; });
  }
  const core::Json& range(const std::string& dataset) const {
    const auto found = find(dataset);
    require(found != ranges_.end(), "has no rows of dataset '" + dataset + "'");
    return *found;
  }

  const std::filesystem::path& path_;
  const store::Hdf5File& file_;
  const core::Json& ranges_;
};

/// Global entry numbers of a unit's keys, in their order.
std::vector<std::int64_t> entries_of(const Unit& unit, std::int64_t key_bytes) {
  const auto first_entries = unit.read<std::int64_t>("entry_starts");
  auto starts = unit.read<std::int64_t>("sentence_starts");
  starts.resize(first_entries.size());  // a shard's last unit has one more, its end
  const std::int64_t rows = unit.bytes("keys") / key_bytes;
  starts.push_back(unit.first_row("keys") + rows);
  unit.require(
      starts.front() == unit.first_row("keys") && std::is_sorted(starts.begin(), starts.end()),
      "has sentences that are not its keys");
  std::vector<std::int64_t> entries;
  for (std::size_t i = 0; i < first_entries.size(); ++i) {
    for (auto row = starts[i]; row < starts[i + 1]; ++row) {
      entries.push_back(first_entries[i] + row - starts[i]);
    }
  }
  return entries;
}

/// Whether an entry of a shard belongs to the sample.
using Membership = std::function<bool(std::int64_t entry)>;

Membership membership(const SampleRule& rule, const SampledCorpus& corpus,
                      const std::string& shard) {
  if (rule.unit == SampleUnit::entry) {
    return [rule](std::int64_t entry) { return rule.contains(entry); };
  }
  const auto text = store::CorpusShard::read(corpus.folder, shard, corpus.shards.at(shard));
  std::vector<std::int64_t> members;
  for (const auto row : rule.rows_of(text)) members.push_back(text.entry_number(row));
  std::sort(members.begin(), members.end());
  return [members = std::move(members)](std::int64_t entry) {
    return std::binary_search(members.begin(), members.end(), entry);
  };
}

/// Appends those of a unit's rows that belong to the sample. entries: of the rows of `dataset`.
void take_stored(const Unit& unit, const std::vector<std::int64_t>& entries,
                 const std::string& dataset, std::int64_t key_bytes, const Membership& belongs,
                 SampleRows& rows) {
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (belongs(entries[i])) chosen.push_back(i);
  }
  if (chosen.empty()) return;
  const auto keys = unit.read<std::byte>(dataset);
  unit.require(std::ssize(keys) == std::ssize(entries) * key_bytes, "needs one key per entry");
  for (const auto i : chosen) {
    rows.entries.push_back(entries[i]);
    const auto key = keys.begin() + static_cast<std::ptrdiff_t>(i) * key_bytes;
    rows.keys.insert(rows.keys.end(), key, key + key_bytes);
  }
}

/// Whether encode stored the wanted sample; logs it if not, and throws if the sample cannot be
/// found elsewhere either.
bool is_stored(runtime::StageContext& context, const SampledDatastore& datastore,
               const SampleSpec& wanted) {
  const auto entries = datastore.corpus.entries;
  if (datastore.stored.holds(wanted, entries)) return true;
  const auto describe = [&](const SampleSpec& sample) {
    return sample.size == entries
               ? "all entries"
               : fmt::format("{} entries of seed {}{}", obs::with_commas(sample.size), sample.seed,
                             sample.unit == SampleUnit::batch ? " in batches" : "");
  };
  const auto difference =
      fmt::format("it is {}; encode wrote {} aside", describe(wanted), describe(datastore.stored));
  comm::agree(context.comm, [&] {
    if (datastore.has_keys) return;
    throw core::InputError(datastore.folder,
                           "does not hold the training sample: " + difference +
                               ", and nothing else (datastore.store: none); run encode again with "
                               "--force, or use datastore.store: keys");
  });
  context.log.info("reading all keys for the training sample: " + difference);
  return false;
}

}  // namespace

SampledDatastore SampledDatastore::of(const CorpusPaths& paths, const CorpusManifest& corpus,
                                      const DatastoreManifest& datastore) {
  return {paths.datastore,
          corpus.shards,
          {paths.text, corpus.of_shards, corpus.entries},
          datastore.keys.sample,
          datastore.stores_keys(),
          datastore.keys.width,
          datastore.made_from.keys};
}

SampleRows find_sample_rows(runtime::StageContext& context, const SampledDatastore& datastore,
                            const SampleSpec& wanted) {
  const bool stored = is_stored(context, datastore, wanted);
  const SampleRule rule = make_corpus_sample_rule(context.comm, datastore.corpus, wanted);
  const auto team = runtime::make_shard_team(context.comm, datastore.shards);
  runtime::Progress progress(
      context, "entries",
      stored ? datastore.stored.of(datastore.corpus.entries).size : datastore.corpus.entries);
  SampleRows rows;
  bool stopped = false;
  const auto share = wanted.size * std::ssize(team.shards) / (datastore.shards * team.members());
  for (const auto shard : team.shards) {
    const auto name = runtime::shard_name(shard);
    const auto path = datastore.folder / (name + ".h5");
    const core::Json manifest = runtime::read_shard_manifest(datastore.folder, shard);
    store::verify_structure(path, manifest.at("structure"));
    const auto file = store::Hdf5File::open_for_reading(path);
    const auto belongs = membership(rule, datastore.corpus, name);
    const auto type = data_type_of(datastore.type);
    const auto width = file.shape("sample_keys", type, 2)[1];
    if (!stored) file.shape("keys", type, 2);
    const auto key_bytes = width * bytes_of(datastore.type);
    if (width != datastore.width) {
      throw core::InputError(path, fmt::format("its keys have width {}, its manifest says {}",
                                               width, datastore.width));
    }
    rows.keys.reserve((share + share / 8) * key_bytes);
    const core::Json& units = manifest.at("units");
    for (auto i = static_cast<std::size_t>(team.member()); i < units.size() && !stopped;
         i += static_cast<std::size_t>(team.members())) {
      const Unit unit(path, file, units[i]);
      if (stored && !unit.has("sample_entries")) continue;
      const auto entries =
          stored ? unit.read<std::int64_t>("sample_entries") : entries_of(unit, key_bytes);
      take_stored(unit, entries, stored ? "sample_keys" : "keys", key_bytes, belongs, rows);
      progress.add(std::ssize(entries));
      stopped = runtime::stop_requested();
    }
  }
  progress.finish();
  if (!context.comm.all(!stopped)) {
    comm::agree(context.comm, [] {
      throw core::Stopped("stopped by SIGUSR1 while reading the sample; run again to start over");
    });
  }
  const auto found = context.comm.all_reduce(std::ssize(rows.entries), comm::Reduction::sum);
  comm::agree(context.comm, [&] {
    if (found == wanted.size) return;
    throw core::InputError(datastore.folder,
                           fmt::format("holds {} of the sample's {} entries", found, wanted.size));
  });
  return rows;
}

}  // namespace knnseq::stages
