#include "stages/remove/filter_corpus.hpp"

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "core/error.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/remove/stored_rows.hpp"
#include "stages/shared/sample/sample_rule.hpp"
#include "stages/shared/shards/datastore_unit.hpp"
#include "stages/shared/shards/renumber_index.hpp"
#include "store/hdf5_structure.hpp"

namespace knnseq::stages {

namespace {

constexpr const char* list_of_dropped_name = "dropped.tsv";

/// The manifest as it stands there, on all ranks.
store::Manifest whole_manifest(runtime::StageContext& context, const StageRef& step) {
  return read_on_root(context, step, [](const store::Manifest&) {});
}

store::CorpusShard read_shard(const BuiltCorpus& built, std::int64_t shard) {
  return store::CorpusShard::read(built.paths.text, runtime::shard_name(shard),
                                  built.corpus.of_shard(shard));
}

/// Sentences of a shard that stay, in their order.
std::vector<std::int64_t> kept_sentences(const store::CorpusShard& shard,
                                         const std::set<std::int64_t>& lines) {
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < shard.sentences(); ++i) {
    if (!lines.contains(shard.line_numbers[i])) kept.push_back(i);
  }
  return kept;
}

template <class T>
void append_part(std::vector<T>& to, const std::vector<T>& from, std::int64_t begin,
                 std::int64_t end) {
  to.insert(to.end(), from.begin() + begin, from.begin() + end);
}

store::CorpusShard filter_shard(const store::CorpusShard& from, const FilteredCorpus& corpus) {
  store::CorpusShard to;
  to.source_starts = to.sentence_starts = to.batch_starts = {0};
  std::int64_t batch = 0;
  const auto close_batches = [&](std::int64_t sentence) {  // all that end before it
    for (; batch < from.batches() && from.batch_starts[batch + 1] <= sentence; ++batch) {
      if (to.sentences() > to.batch_starts.back()) to.batch_starts.push_back(to.sentences());
    }
  };
  for (const auto i : kept_sentences(from, corpus.lines)) {
    close_batches(i);
    append_part(to.source_tokens, from.source_tokens, from.source_starts[i],
                from.source_starts[i + 1]);
    append_part(to.target_tokens, from.target_tokens, from.sentence_starts[i],
                from.sentence_starts[i + 1]);
    to.source_starts.push_back(std::ssize(to.source_tokens));
    to.sentence_starts.push_back(std::ssize(to.target_tokens));
    to.sentence_numbers.push_back(corpus.renumbering.sentence(from.sentence_numbers[i]));
    to.entry_starts.push_back(corpus.renumbering.entry(from.entry_starts[i]));
    to.line_numbers.push_back(from.line_numbers[i]);
  }
  close_batches(from.sentences());
  return to;
}

/// What partition dropped, and the lines that are taken out.
std::string list_of_dropped(const FilteredCorpus& corpus, const store::Manifest& manifest) {
  const auto& paths = corpus.built.paths;
  std::string list = core::read_file(runtime::require_file(
      paths.text, manifest, list_of_dropped_name, paths.command("partition")));
  for (const auto line : corpus.lines) list += fmt::format("{}\tremoved\n", line + 1);
  return list;
}

runtime::StageOutcome write_text(runtime::StageContext& context, const FilteredCorpus& corpus,
                                 const store::Manifest& manifest) {
  auto& comm = context.comm;
  const auto& built = corpus.built;
  core::Json mine = core::Json::object();
  comm::agree(comm, [&] {
    for (auto shard = std::int64_t{comm.rank()}; shard < built.shards(); shard += comm.size()) {
      const auto name = runtime::shard_name(shard);
      const auto label =
          store::Hdf5File::open_for_reading(built.paths.text / (name + ".h5")).label();
      mine[name] =
          filter_shard(read_shard(built, shard), corpus).write(corpus.next.text, name, label);
    }
  });
  core::Json shards = core::Json::object();
  for (const auto& of_rank : comm::gather_json(comm, mine)) shards.update(of_rank);
  core::Json content = manifest.content;
  std::int64_t batches = 0;
  for (const auto& [name, facts] : shards.items())
    batches += facts.at("batches").get<std::int64_t>();
  const auto removed = std::ssize(corpus.lines);
  content["sentences"] = built.corpus.sentences - removed;
  content["entries"] = built.corpus.entries - corpus.renumbering.entries();
  content["shards"] = shards;
  content["batches"] = batches;
  content["dropped"]["removed"] = content["dropped"].value("removed", std::int64_t{0}) + removed;
  comm::on_root(comm, [&] {
    core::write_file_durably(corpus.next.text / list_of_dropped_name,
                             list_of_dropped(corpus, manifest));
    std::vector<std::string> files;
    for (const auto& [name, facts] : shards.items()) files.push_back(name + ".h5");
    content["files"] = runtime::file_sizes(corpus.next.text, files);
    content["files"].update(runtime::describe_files(corpus.next.text, {list_of_dropped_name}));
  });
  return {content, {"sentences", comm.is_root() ? built.corpus.sentences - removed : 0, 0}};
}

/// Makes one shard's datastore after another.
class DatastoreFilter {
 public:
  DatastoreFilter(const FilteredCorpus& corpus, const CorpusManifest& text, SampleRule sample)
      : corpus_(corpus), text_(text), sample_(sample) {}

  runtime::ShardPlan open_shard(std::int64_t shard) {
    const auto name = runtime::shard_name(shard);
    const auto old_text = read_shard(corpus_.built, shard);
    shard_ = store::CorpusShard::read(corpus_.next.text, name, text_.of_shard(shard));
    units_ = store::cut_units(shard_);
    const auto kept = kept_sentences(old_text, corpus_.lines);
    old_rows_.clear();
    for (const auto i : kept) {
      for (auto row = old_text.sentence_starts[i]; row < old_text.sentence_starts[i + 1]; ++row) {
        old_rows_.push_back(row);
      }
    }
    old_sentences_ = kept;
    sample_rows_ = sample_.rows_of(shard_);
    return plan_of(shard, old_text);
  }

  /// Rows of the stored datasets; on any thread.
  runtime::ComputedUnit compute_unit(std::int64_t unit, const runtime::Abandoned& abandoned) {
    const auto computed = std::make_shared<Unit>();
    const auto rows = shard_.entries_of(units_[unit]);
    const auto sentences = shard_.sentences_of(units_[unit]);
    for (auto& stored : stored_) {
      runtime::give_up_if(abandoned);
      const bool of_entries = stored.name() != "sentence_keys";
      const auto part = of_entries ? rows : sentences;
      const auto& old = of_entries ? old_rows_ : old_sentences_;
      computed->stored.push_back(stored.read(std::span(old).subspan(part.begin, part.size())));
    }
    return {{}, [this, computed, rows, sentences](store::ShardFile& file) {
              write_unit(*computed, rows, sentences, file);
            }};
  }

  core::Json finish() const {
    return {{"entries", shard_.entries()}, {"sentences", shard_.sentences()}};
  }

 private:
  struct Unit {
    std::vector<std::vector<std::byte>> stored;  ///< of each of stored_
  };

  runtime::ShardPlan plan_of(std::int64_t shard, const store::CorpusShard& old_text) {
    const auto& folder = corpus_.built.paths.datastore;
    const auto path = folder / (runtime::shard_name(shard) + ".h5");
    const core::Json manifest = runtime::read_shard_manifest(folder, shard);
    store::verify_structure(path, manifest.at("structure"));
    const auto file = store::Hdf5File::open_for_reading(path);
    runtime::ShardPlan plan;
    plan.label = file.label();
    stored_.clear();
    // Names in the order in which encode makes them, and the rows that they have now.
    const std::vector<std::pair<const char*, std::int64_t>> datasets = {
        {"keys", shard_.entries()},
        {"values", shard_.entries()},
        {"sentence_numbers", shard_.sentences()},
        {"sentence_starts", shard_.sentences() + 1},
        {"entry_starts", shard_.sentences()},
        {"line_numbers", shard_.sentences()},
        {"sample_keys", std::ssize(sample_rows_)},
        {"sample_entries", std::ssize(sample_rows_)},
        {"sentence_keys", shard_.sentences()},
        {"log_probs", shard_.entries()}};
    for (const auto& [name, rows] : datasets) {
      if (!file.has(name)) continue;
      auto spec = file.describe(name);
      const std::string_view is = name;
      if (is == "keys" || is == "sentence_keys" || is == "log_probs") {
        const auto all = is == "sentence_keys" ? old_text.sentences() : old_text.entries();
        stored_.emplace_back(path, spec, manifest.at("units"), all);
      }
      spec.shape[0] = rows;
      spec.auxiliary = is.starts_with("sample_");
      plan.datasets.push_back(std::move(spec));
    }
    for (const auto& batches : units_) plan.unit_items.push_back(shard_.entries_of(batches).size());
    return plan;
  }

  void write_unit(const Unit& unit, core::Range rows, core::Range sentences,
                  store::ShardFile& file) const {
    for (std::size_t i = 0; i < stored_.size(); ++i) {
      const bool of_entries = stored_[i].name() != "sentence_keys";
      file.write(stored_[i].name(), of_entries ? rows.begin : sentences.begin,
                 std::span<const std::byte>(unit.stored[i]));
    }
    file.write("values", rows.begin,
               std::span(shard_.target_tokens).subspan(rows.begin, rows.size()));
    write_sentences(shard_, sentences, file);
    write_sample(unit, rows, file);
  }

  void write_sample(const Unit& unit, core::Range rows, store::ShardFile& file) const {
    const auto first = std::ranges::lower_bound(sample_rows_, rows.begin);
    const auto last = std::ranges::lower_bound(sample_rows_, rows.end);
    if (first == last) return;
    KNNSEQ_ASSERT(stored_.front().name() == "keys", "keys are there and come first");
    const auto& keys = unit.stored.front();
    const auto row_bytes = keys.size() / static_cast<std::size_t>(rows.size());
    std::vector<std::byte> sampled;
    std::vector<std::int64_t> entries;
    for (auto row = first; row != last; ++row) {
      const auto key = keys.begin() + (*row - rows.begin) * static_cast<std::int64_t>(row_bytes);
      sampled.insert(sampled.end(), key, key + static_cast<std::int64_t>(row_bytes));
      entries.push_back(shard_.entry_number(*row));
    }
    const auto at = first - sample_rows_.begin();
    file.write("sample_keys", at, std::span<const std::byte>(sampled));
    file.write("sample_entries", at, std::span<const std::int64_t>(entries));
  }

  const FilteredCorpus& corpus_;
  const CorpusManifest& text_;
  SampleRule sample_;
  store::CorpusShard shard_;  ///< the new one
  std::vector<core::Range> units_;
  std::vector<std::int64_t> old_rows_, old_sentences_;  ///< in the old shard, of all that stay
  std::vector<std::int64_t> sample_rows_;
  std::vector<StoredRows> stored_;
};

runtime::StageOutcome write_datastore(runtime::StageContext& context, const FilteredCorpus& corpus,
                                      const store::Manifest& manifest, const CorpusManifest& text) {
  const auto& built = corpus.built;
  const SampledCorpus sampled{corpus.next.text, text.of_shards, text.entries};
  DatastoreFilter filter(
      corpus, text, make_corpus_sample_rule(context.comm, sampled, built.datastore.keys.sample));
  const auto team = runtime::make_shard_team(context.comm, built.shards());
  runtime::ShardJobs jobs(context, team, corpus.next.datastore, {"entries", text.entries});
  runtime::ShardWork work;
  work.prepare = [&](std::int64_t shard) { return filter.open_shard(shard); };
  work.compute = [&](std::int64_t unit, const runtime::Abandoned& abandoned) {
    return filter.compute_unit(unit, abandoned);
  };
  work.finish = [&](std::int64_t) { return filter.finish(); };
  runtime::StageOutcome outcome = jobs.run(work);
  core::Json content = manifest.content;
  content["entries"] = text.entries;
  content["sentences"] = text.sentences;
  content["before_removals"] = built.datastore.before;
  content["before_removals"].push_back(manifest.identity);
  content.erase("shards");
  content.erase("files");
  outcome.content.update(content);
  return outcome;
}

runtime::StageOutcome write_index(runtime::StageContext& context, const FilteredCorpus& corpus) {
  const auto first = corpus.built.paths.first_entry;
  return renumber_index(context, corpus.built, corpus.next.index,
                        corpus.built.entries() - corpus.renumbering.entries(),
                        [&](std::int64_t entry) {
                          const auto number = corpus.renumbering.entry(entry - first);
                          return number < 0 ? number : corpus.next.first_entry + number;
                        });
}

}  // namespace

std::vector<RemovedSentence> find_sentences(comm::Communicator& comm, const BuiltCorpus& built,
                                            const std::set<std::int64_t>& lines) {
  std::vector<RemovedSentence> mine;
  comm::agree(comm, [&] {
    for (auto shard = std::int64_t{comm.rank()}; shard < built.shards(); shard += comm.size()) {
      const auto text = read_shard(built, shard);
      for (std::int64_t i = 0; i < text.sentences(); ++i) {
        if (!lines.contains(text.line_numbers[i])) continue;
        mine.push_back({text.line_numbers[i], text.sentence_numbers[i], text.entry_starts[i],
                        text.sentence_starts[i + 1] - text.sentence_starts[i]});
      }
    }
  });
  return comm.all_gather(std::span<const RemovedSentence>(mine)).values;
}

void filter_text(runtime::StageContext& context, const FilteredCorpus& corpus) {
  const StageRef step = corpus.built.paths.step("partition");
  const auto manifest = whole_manifest(context, step);
  runtime::run_stage(context, {step.stage,
                               corpus.next.text,
                               manifest.inputs,
                               [&] { return write_text(context, corpus, manifest); },
                               {list_of_dropped_name}});
}

void filter_datastore(runtime::StageContext& context, const FilteredCorpus& corpus) {
  const StageRef step = corpus.built.paths.step("encode");
  const auto manifest = whole_manifest(context, step);
  const auto text = manifest_of<CorpusManifest>(context, corpus.next.step("partition"));
  core::Json inputs = manifest.inputs;
  inputs["corpus"] = text.identity;
  runtime::run_stage(context, {step.stage, corpus.next.datastore, inputs,
                               [&] { return write_datastore(context, corpus, manifest, text); }});
}

void filter_index(runtime::StageContext& context, const FilteredCorpus& corpus) {
  const StageRef step = corpus.built.paths.step("add");
  core::Json inputs = whole_manifest(context, step).inputs;
  if (!corpus.lines.empty()) {
    inputs["corpus"] = manifest_of<CorpusManifest>(context, corpus.next.step("partition")).identity;
    inputs["datastore"] =
        manifest_of<DatastoreManifest>(context, corpus.next.step("encode")).identity;
  }
  inputs["first_entry"] = corpus.next.first_entry;
  runtime::run_stage(context, {step.stage, corpus.next.index, inputs,
                               [&] { return write_index(context, corpus); }});
}

}  // namespace knnseq::stages
