#include "stages/import/import_corpus.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "core/hash.hpp"
#include "core/own_files.hpp"
#include "runtime/input_files.hpp"
#include "runtime/shard_team.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/manifests.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

namespace {

constexpr const char* left_out_name = "dropped.tsv";

/// Batches that are read, checked and written at once.
constexpr std::int64_t part_batches = 64;

/// Lengths that are not those of the tokens are seen from where sentences end.
void require_ends(const store::CorpusShard& part, core::TokenId end,
                  const ForeignSentences& sentences) {
  std::size_t row = 0;
  for (std::int64_t i = 0; i < part.sentences(); ++i) {
    row += part.sentence_starts[i + 1] - part.sentence_starts[i];
    const auto last = part.target_tokens[row - 1];
    if (std::cmp_equal(last, end)) continue;
    sentences.refuse(part.sentence_numbers[i],
                     fmt::format("lets a sentence end with token {}, not with the end of "
                                 "sentence, {}: the lengths are not those of 'tokens'",
                                 last, end));
  }
}

core::Json write_shard(const std::filesystem::path& folder, const std::string& name,
                       const Origin& origin, core::Range batches, const store::FileLabel& label) {
  const ForeignSentences& all = *origin.sentences;
  const auto first = all.start_of(batches.begin);
  store::CorpusShard part;
  auto next = batches.begin;
  const auto next_part = [&]() -> const store::CorpusShard* {
    if (next == batches.end && !part.batch_starts.empty()) return nullptr;
    const core::Range some{next, std::min(next + part_batches, batches.end)};
    part = all.describe(some, first);
    part.target_tokens = origin.store->read_values(all.entries_of(some));
    if (all.are_lines()) require_ends(part, origin.model.eos, all);
    part.source_tokens.assign(part.sentences(), static_cast<std::uint32_t>(origin.model.eos));
    next = some.end;
    if (next < batches.end) {  // the next part begins with these
      for (auto* starts : {&part.source_starts, &part.sentence_starts, &part.batch_starts}) {
        starts->pop_back();
      }
    }
    return &part;
  };
  const auto sentences = all.sentences_of(batches).size();
  return store::CorpusShard::write_parts(
      folder, name, label, {sentences, all.entries_of(batches).size(), sentences, batches.size()},
      next_part);
}

/// Lists the lines beyond import.entries, as partition lists what it leaves out; how many they are.
std::int64_t write_left_out(const std::filesystem::path& path, const ForeignSentences& sentences) {
  std::string list;
  const core::Range beyond{sentences.sentences(), sentences.lines()};
  if (sentences.are_lines()) {
    for (const auto line : sentences.lines_of(beyond)) {
      list += fmt::format("{}\tbeyond import.entries\n", line + 1);
    }
  }
  core::write_file_durably(path, list);
  return sentences.are_lines() ? beyond.size() : 0;
}

runtime::StageOutcome write_corpus(runtime::StageContext& context, const Options& options,
                                   const std::filesystem::path& folder, const Origin& origin,
                                   const store::FileLabel& label) {
  auto& comm = context.comm;
  core::Json written = core::Json::object();
  comm::agree(comm, [&] {
    for (std::int64_t shard = comm.rank(); shard < options.shards; shard += comm.size()) {
      const auto name = runtime::shard_name(shard);
      written[name] = write_shard(folder, name, origin,
                                  origin.sentences->batches_of_shard(shard, options.shards), label);
    }
  });
  runtime::require_unchanged_inputs(context);
  CorpusManifest made;
  made.sentences = origin.sentences->sentences();
  made.entries = origin.store->entries();
  made.of_shards = core::Json::object();
  for (const auto& of_rank : comm::gather_json(comm, written)) made.of_shards.update(of_rank);
  runtime::StageOutcome outcome{made.content(), {"entries", 0, 0}};
  outcome.content["dropped"] = core::Json::object();
  outcome.content["batches"] = origin.sentences->batches();
  comm::on_root(comm, [&] {
    const auto dropped = write_left_out(folder / left_out_name, *origin.sentences);
    if (dropped > 0) outcome.content["dropped"]["beyond import.entries"] = dropped;
    std::vector<std::string> files;
    for (const auto& [name, shard] : outcome.content["shards"].items()) {
      files.push_back(name + ".h5");
    }
    outcome.content["files"] = runtime::file_sizes(folder, files);
    outcome.content["files"].update(runtime::describe_files(folder, {left_out_name}));
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
  runtime::run_stage(context,
                     {step.stage,
                      step.folder,
                      inputs,
                      [&] { return write_corpus(context, options, step.folder, origin, label); },
                      {left_out_name}});
}

}  // namespace knnseq::stages
