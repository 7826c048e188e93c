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

/// first, first + 1, … up to `end`, without it.
std::vector<std::int64_t> count_up(std::int64_t first, std::int64_t end) {
  std::vector<std::int64_t> numbers(end - first);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

store::CorpusShard shard_of_entries(const Origin& origin, core::Range entries) {
  store::CorpusShard shard;
  shard.target_tokens = origin.store->read_values(entries);
  shard.source_tokens.assign(entries.size(), static_cast<std::uint32_t>(origin.model.eos));
  shard.source_starts = shard.sentence_starts = count_up(0, entries.size() + 1);
  shard.sentence_numbers = shard.line_numbers = shard.entry_starts =
      count_up(entries.begin, entries.end);
  for (std::int64_t row = 0; row < entries.size(); row += batch_entries) {
    shard.batch_starts.push_back(row);
  }
  shard.batch_starts.push_back(entries.size());
  return shard;
}

runtime::StageOutcome write_corpus(runtime::StageContext& context, const Options& options,
                                   const std::filesystem::path& folder, const Origin& origin,
                                   const store::FileLabel& label) {
  auto& comm = context.comm;
  const auto entries = origin.store->entries();
  const auto batches = core::ceil_div(entries, batch_entries);
  core::Json written = core::Json::object();
  comm::agree(comm, [&] {
    for (std::int64_t shard = comm.rank(); shard < options.shards; shard += comm.size()) {
      const auto part = core::even_part(batches, shard, options.shards);
      const core::Range rows{part.begin * batch_entries,
                             std::min(part.end * batch_entries, entries)};
      const auto name = runtime::shard_name(shard);
      written[name] = shard_of_entries(origin, rows).write(folder, name, label);
    }
  });
  runtime::require_unchanged_inputs(context);
  CorpusManifest made;
  made.sentences = made.entries = entries;
  made.of_shards = core::Json::object();
  for (const auto& of_rank : comm::gather_json(comm, written)) made.of_shards.update(of_rank);
  runtime::StageOutcome outcome{made.content(), {"entries", 0, 0}};
  outcome.content["dropped"] = core::Json::object();
  outcome.content["batches"] = batches;
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
