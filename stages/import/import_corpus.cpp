#include "stages/import/import_corpus.hpp"

#include <numeric>

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "core/hash.hpp"
#include "runtime/input_files.hpp"
#include "runtime/shard_team.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/manifests.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

namespace {

/// Entries that `add` codes in one product, as it does those of a batch of text.
constexpr std::int64_t batch_entries = 4096;

/// Entries that are read, checked and written at once.
constexpr std::int64_t part_entries = 64 * batch_entries;

core::Json write_shard(const std::filesystem::path& folder, const std::string& name,
                       const Origin& origin, core::Range entries, const store::FileLabel& label) {
  const auto batches = core::ceil_div(entries.size(), batch_entries);
  store::CorpusShard part;
  std::int64_t next = entries.begin;
  const auto next_part = [&]() -> const store::CorpusShard* {
    if (next == entries.end && !part.batch_starts.empty()) return nullptr;
    const core::Range some{next, std::min(next + part_entries, entries.end)};
    part = describe_entries(some, entries.begin);
    part.target_tokens = origin.store->read_values(some);
    part.source_tokens.assign(some.size(), static_cast<std::uint32_t>(origin.model.eos));
    next = some.end;
    if (next < entries.end) {  // the next part begins with these
      for (auto* starts : {&part.source_starts, &part.sentence_starts, &part.batch_starts}) {
        starts->pop_back();
      }
    }
    return &part;
  };
  return store::CorpusShard::write_parts(
      folder, name, label, {entries.size(), entries.size(), entries.size(), batches}, next_part);
}

runtime::StageOutcome write_corpus(runtime::StageContext& context, const Options& options,
                                   const std::filesystem::path& folder, const Origin& origin,
                                   const store::FileLabel& label) {
  auto& comm = context.comm;
  const auto entries = origin.store->entries();
  core::Json written = core::Json::object();
  comm::agree(comm, [&] {
    for (std::int64_t shard = comm.rank(); shard < options.shards; shard += comm.size()) {
      const auto name = runtime::shard_name(shard);
      written[name] = write_shard(folder, name, origin,
                                  entries_of_shard(entries, shard, options.shards), label);
    }
  });
  runtime::require_unchanged_inputs(context);
  CorpusManifest made;
  made.sentences = made.entries = entries;
  made.of_shards = core::Json::object();
  for (const auto& of_rank : comm::gather_json(comm, written)) made.of_shards.update(of_rank);
  runtime::StageOutcome outcome{made.content(), {"entries", 0, 0}};
  outcome.content["dropped"] = core::Json::object();
  outcome.content["batches"] = core::ceil_div(entries, batch_entries);
  comm::on_root(comm, [&] {
    std::vector<std::string> files;
    for (const auto& [name, shard] : outcome.content["shards"].items()) {
      files.push_back(name + ".h5");
    }
    outcome.content["files"] = runtime::file_sizes(folder, files);
  });
  for (const auto& [name, shard] : written.items()) {
    outcome.work.items += shard.at("entries").get<std::int64_t>();
    outcome.work.bytes +=
        static_cast<std::int64_t>(std::filesystem::file_size(folder / (name + ".h5")));
  }
  return outcome;
}

}  // namespace

core::Range entries_of_shard(std::int64_t entries, std::int64_t shard, std::int64_t shards) {
  const auto part = core::even_part(core::ceil_div(entries, batch_entries), shard, shards);
  return {std::min(part.begin * batch_entries, entries),
          std::min(part.end * batch_entries, entries)};
}

std::vector<std::int64_t> count_up(core::Range numbers) {
  std::vector<std::int64_t> all(numbers.size());
  std::iota(all.begin(), all.end(), numbers.begin);
  return all;
}

store::CorpusShard describe_entries(core::Range entries, std::int64_t first) {
  const core::Range rows{entries.begin - first, entries.end - first};
  store::CorpusShard shard;
  shard.source_starts = shard.sentence_starts = count_up({rows.begin, rows.end + 1});
  shard.sentence_numbers = shard.line_numbers = shard.entry_starts = count_up(entries);
  for (auto row = rows.begin; row < rows.end; row += batch_entries) {
    shard.batch_starts.push_back(row);
  }
  shard.batch_starts.push_back(rows.end);
  return shard;
}

void import_corpus(runtime::StageContext& context, const Options& options, const Origin& origin) {
  const auto step = first_corpus(options).step("partition");
  const core::Json inputs = {{"imported", origin.facts},
                             {"tokenizer", tokenizer_fingerprint(context, options)},
                             {"eos", origin.model.eos},
                             {"shards", options.shards}};
  const auto label =
      store::make_label("corpus", {{"tokenizer", core::fingerprint(inputs.at("tokenizer").dump())},
                                   {"imported", origin.facts.at("from").get<std::string>()}});
  runtime::run_stage(context, {step.stage, step.folder, inputs, [&] {
                                 return write_corpus(context, options, step.folder, origin, label);
                               }});
}

}  // namespace knnseq::stages
