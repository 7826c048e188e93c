#include "stages/partition/partition.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/own_files.hpp"
#include "index/core/index_spec.hpp"
#include "model/load_model.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/input_files.hpp"
#include "runtime/shard_team.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/partition/distribute_sentences.hpp"
#include "stages/shared/inputs/open_language.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/plan/planned_bytes.hpp"
#include "stages/shared/search/open_search.hpp"
#include "stages/shared/text/sentence_pairs.hpp"

namespace knnseq::stages {

namespace {

constexpr const char* dropped_name = "dropped.tsv";
constexpr const char* unpacked_corpus = "unpacked";  ///< a folder, while the text is read

/// Says what the later stages will make, now that all counts are known.
void print_plan(runtime::StageContext& context, const Options& options, const Needs& needs) {
  Options first = options;  // what is appended has its own partition
  first.append.clear();
  std::vector<std::string> folders;
  for (const auto& folder : plan_folders(first, needs)) {
    if (folder.stage == "partition") continue;
    folders.push_back(folder.stage + " " + obs::as_bytes(folder.bytes));
  }
  context.log.info(fmt::format("{} entries; on disk they will take: {}{} ('knnseq plan' says more)",
                               obs::with_commas(needs.corpus.entries), fmt::join(folders, ", "),
                               options.datastore.prune.on() ? " (at most)" : ""));
}

/// What the rank that has a shard says of it: {"0": {…}}.
core::Json write_shards(const PartitionedCorpus& corpus, const std::filesystem::path& folder,
                        const store::FileLabel& label) {
  core::Json written = core::Json::object();
  for (const auto& [shard, content] : corpus.shards) {
    const auto name = runtime::shard_name(shard);
    written[name] = content.write(folder, name, label);
  }
  return written;
}

void report_dropped(runtime::StageContext& context, const SentencePairs& pairs,
                    const std::filesystem::path& folder, core::Json& content) {
  const auto dropped = count_dropped(context.comm, pairs);
  const auto lists = context.comm.all_gather(
      std::span<const char>(pairs.dropped_list.data(), pairs.dropped_list.size()));
  content["dropped"] = core::Json::object();
  for (std::size_t reason = 1; reason < drop_reasons; ++reason) {
    if (dropped[reason] == 0) continue;
    const auto name = core::name_of(static_cast<DropReason>(reason));
    content["dropped"][std::string(name)] = dropped[reason];
    context.log.info(fmt::format("dropped {} pairs: {} (listed in dropped.tsv)",
                                 obs::with_commas(dropped[reason]), name));
  }
  comm::on_root(context.comm, [&] {
    core::write_file_durably(folder / dropped_name,
                             std::string(lists.values.begin(), lists.values.end()));
  });
}

runtime::StageOutcome make_corpus(runtime::StageContext& context, const Options& options,
                                  const CorpusPaths& paths, const index::IndexSpec& spec,
                                  const store::FileLabel& label) {
  const auto& folder = paths.text;
  auto& comm = context.comm;
  std::unique_ptr<text::Tokenizer> tokenizer;
  model::ModelInfo info;
  const auto scratch = folder / unpacked_corpus;
  comm::agree(comm, [&] {
    tokenizer = open_tokenizer(options);
    info = describe_model(context, options, *tokenizer);
    for (const char* side : {"source", "target"}) core::make_own_folders(folder, scratch / side);
  });
  const PairRules rules{paths.corpus, options.preprocess, scratch, info.source_positions,
                        info.target_tokens()};
  const SentencePairs pairs = read_sentence_pairs(context, rules, *tokenizer);
  runtime::require_unchanged_inputs(context);
  require_pairs(comm, pairs, paths.stage_name("corpus"));
  const auto longest = std::max(info.source_positions, info.target_positions);
  const PartitionedCorpus corpus =
      distribute_sentences(comm, pairs, {options.shards, longest, paths.corpus.max_tokens});
  comm::agree(comm, [&] {
    if (corpus.entries > core::max_entry_number) {
      throw core::InputError("the corpus has more than 2^40 entries");
    }
    if (!paths.appended()) require_sample(options, spec, corpus.entries);
  });

  core::Json written;
  comm::agree(comm, [&] { written = write_shards(corpus, folder, label); });
  CorpusManifest made;
  made.sentences = corpus.sentences;
  made.entries = corpus.entries;
  made.of_shards = core::Json::object();
  for (const auto& of_rank : comm::gather_json(comm, written)) made.of_shards.update(of_rank);
  core::Json content = made.content();
  content["batches"] = corpus.batches.size();
  report_dropped(context, pairs, folder, content);

  const auto tokens = comm.all_reduce(std::ssize(pairs.source_tokens), comm::Reduction::sum) +
                      corpus.entries - 2 * corpus.sentences;
  const auto unknown = comm.all_reduce(pairs.unknown_tokens, comm::Reduction::sum);
  content["unknown_tokens"] = unknown;
  const double rate = 100.0 * static_cast<double>(unknown) / static_cast<double>(tokens);
  context.log.info(fmt::format("{} of {} tokens ({:.3f} %) are unknown to the model's vocabulary",
                               obs::with_commas(unknown), obs::with_commas(tokens), rate));
  if (comm.is_root() && unknown * 1000 > tokens) {
    context.log.warn(
        fmt::format("{:.2f} % of all tokens are unknown to the model's vocabulary: is "
                    "the text tokenised as the model expects it?",
                    rate));
  }
  const auto open = describe_open_language(
      *tokenizer, comm.all_reduce(pairs.without_language, comm::Reduction::sum), corpus.sentences);
  if (comm.is_root() && !open.empty()) context.log.warn(open);
  comm::on_root(comm, [&] {
    std::filesystem::remove_all(scratch);
    std::vector<std::string> shards;
    for (const auto& [name, shard] : content["shards"].items()) shards.push_back(name + ".h5");
    content["files"] = runtime::file_sizes(folder, shards);
    content["files"].update(runtime::describe_files(folder, {dropped_name}));
  });
  if (!paths.appended()) {
    const auto source_tokens =
        comm.all_reduce(std::ssize(pairs.source_tokens), comm::Reduction::sum);
    print_plan(context, options,
               {{corpus.sentences, source_tokens, corpus.entries, false}, spec.d_in, 0, spec});
  }
  std::int64_t bytes = 0;
  for (const auto& [name, shard] : written.items()) {
    bytes += static_cast<std::int64_t>(std::filesystem::file_size(folder / (name + ".h5")));
  }
  return {content, {"sentences", pairs.count(), bytes}};
}

}  // namespace

void require_sample(const Options& options, const index::IndexSpec& spec, std::int64_t entries) {
  const auto vectors = std::min(entries, options.datastore.sample.size);
  const auto least = spec.least_sample();
  if (vectors >= least) return;
  throw core::InputError(
      fmt::format("{} needs at least {} training vectors; the corpus and "
                  "datastore.sample give {}",
                  spec.factory(), least, vectors));
}

void partition(runtime::StageContext& context, const Options& options, const CorpusPaths& paths) {
  const std::string name = paths.stage_name("partition");
  context.log.set_stage(name);
  index::IndexSpec spec;
  model::ModelInfo info;
  comm::agree(context.comm, [&] {
    if (paths.corpus.source.empty()) {
      throw core::InputError(
          "the config has no corpus, but import: run 'knnseq import' in place of partition and "
          "encode");
    }
    info = describe_model(context, options, *open_tokenizer(options));
    spec = index::parse_index_spec(options.index.factory, info.width, options.index.metric);
    for (const auto& decoding : options.decode) {
      // refuses the dtype here
      model::read_model_info(options.models.front(), model_options(context, decoding.dtype));
      if (decoding.knn) require_enough_lists(decoding.search, spec.nlist);
    }
  });
  const core::Json inputs = {{"source", fingerprint_files(context, paths.corpus.source)},
                             {"target", fingerprint_files(context, paths.corpus.target)},
                             {"tokenizer", tokenizer_fingerprint(context, options)},
                             {"source_positions", info.source_positions},
                             {"target_tokens", info.target_tokens()},
                             {"eos", info.eos},
                             {"pad", info.pad},
                             {"bad_pairs", paths.corpus.drop_bad_pairs ? "drop" : "stop"},
                             {"max_tokens", paths.corpus.max_tokens},
                             {"shards", options.shards}};
  const auto label = store::make_label(
      "corpus", {{"tokenizer", core::fingerprint(inputs.at("tokenizer").dump())}});
  runtime::run_stage(context, {name,
                               paths.text,
                               inputs,
                               [&] { return make_corpus(context, options, paths, spec, label); },
                               {dropped_name, unpacked_corpus + std::string("/")}});
}

}  // namespace knnseq::stages
