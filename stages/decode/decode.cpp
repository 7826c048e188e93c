#include "stages/decode/decode.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "model/load_model.hpp"
#include "runtime/input_files.hpp"
#include "runtime/long_work.hpp"
#include "runtime/progress.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/decode/test_set.hpp"
#include "stages/decode/translations.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/search/open_mixer.hpp"
#include "stages/shared/translation/block_translator.hpp"
#include "text/files/line_filter.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

/// One rank's part in translating one test set.
class Decoder {
 public:
  Decoder(runtime::StageContext& context, const DecodeOptions& options, const TestSet& set,
          Translations& translations)
      : context_(context),
        options_(options),
        set_(set),
        translations_(translations),
        progress_(context, "sentences", sentences_of(all_blocks())) {
    if (context.comm.is_root()) {
      for (const auto block : translations.done()) progress_.skip(sentences_of({block}));
    }
  }

  /// mixer: null without kNN.
  void run(const BlockTools& tools, retrieval::KnnMixer* mixer) {
    const obs::Stopwatch watch;
    translate_blocks(context_, tools, blocks(), mixer);
    work_.seconds = watch.seconds();
    if (mixer == nullptr) return;
    for (const auto& line : mixer->summaries()) context_.log.info("search on rank 0: " + line);
    if (options_.interpolation.gate.empty()) return;
    const auto queries = context_.comm.all_reduce(mixer->queries(), comm::Reduction::sum);
    const auto searched = context_.comm.all_reduce(mixer->searched(), comm::Reduction::sum);
    work_.details = {{"queries", queries}, {"searched", searched}};
    context_.log.info(fmt::format("searches skipped: {:.1f} % of {} queries",
                                  100 * static_cast<double>(queries - searched) /
                                      static_cast<double>(std::max<std::int64_t>(queries, 1)),
                                  obs::with_commas(queries)));
  }

  void run_from_memory(const BlockTools& tools, retrieval::SubsetSearch& memory) {
    const obs::Stopwatch watch;
    recall_blocks(context_, tools, blocks(), memory);
    work_.seconds = watch.seconds();
  }

  /// Waits for all ranks; throws core::Stopped on all if work is left. Collective.
  runtime::StageWork finish() {
    translations_.close();
    progress_.finish();
    const auto done = context_.comm.all_reduce(sentences_done_, comm::Reduction::sum);
    if (done < sentences_of(blocks_left())) {
      comm::agree(context_.comm, [] {
        throw core::Stopped(
            "stopped by SIGUSR1; what is done is kept, run again (without --force) to go on");
      });
    }
    return work_;
  }

 private:
  BlockWork blocks() {
    BlockWork work;
    work.blocks = blocks_left();
    work.sources = [this](std::int64_t block) { return sources_of(block); };
    work.done = [this](std::int64_t block, const auto& best) { commit(block, best); };
    return work;
  }

  std::vector<std::int64_t> all_blocks() const {
    std::vector<std::int64_t> blocks(set_.blocks.size());
    for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<std::int64_t>(i);
    return blocks;
  }
  std::vector<std::int64_t> blocks_left() const {
    std::vector<std::int64_t> left;
    for (const auto block : all_blocks()) {
      if (!translations_.done().contains(block)) left.push_back(block);
    }
    return left;
  }
  std::int64_t sentences_of(const std::vector<std::int64_t>& blocks) const {
    std::int64_t sentences = 0;
    for (const auto block : blocks) sentences += std::ssize(set_.blocks[block]);
    return sentences;
  }

  std::vector<std::vector<core::TokenId>> sources_of(std::int64_t block) const {
    std::vector<std::vector<core::TokenId>> sources;
    for (const auto line : set_.blocks[block]) {
      sources.push_back(set_.sources[line]);
    }
    return sources;
  }

  void commit(std::int64_t block, const std::vector<std::vector<search::Hypothesis>>& hypotheses) {
    const auto& lines = set_.blocks[block];
    translations_.append(context_.comm.rank(), block, lines, hypotheses);
    for (const auto& nbest : hypotheses) work_.items += std::ssize(nbest.front().tokens);
    sentences_done_ += std::ssize(lines);
    progress_.add(std::ssize(lines));
  }

  runtime::StageContext& context_;
  const DecodeOptions& options_;
  const TestSet& set_;
  Translations& translations_;
  runtime::Progress progress_;
  runtime::StageWork work_{"tokens", 0, 0};
  std::int64_t sentences_done_ = 0;
};

/// Says so if blocks are so large that ranks have nothing to do.
void report_idle_ranks(runtime::StageContext& context, const TestSet& set,
                       std::int64_t block_sentences) {
  const std::int64_t ranks = context.comm.size();
  const std::int64_t sentences =
      std::ranges::count_if(set.sources, [](const auto& source) { return !source.empty(); });
  const std::int64_t busy = std::min(std::int64_t{std::ssize(set.blocks)}, ranks);
  const std::int64_t most = std::min(sentences, ranks);
  if (busy == most) return;
  context.log.info(
      fmt::format("{} of {} ranks get no block of sentences: beam_search.block_sentences is {}; "
                  "with {} it is {}",
                  ranks - busy, ranks, block_sentences, sentences / most, ranks - most));
}

runtime::StageOutcome translate_set(runtime::StageContext& context, const Options& options,
                                    const DecodeOptions& decoding, const SearchedData& data,
                                    const std::filesystem::path& folder, Resident& resident) {
  auto& comm = context.comm;
  std::unique_ptr<text::Tokenizer> tokenizer;
  model::TranslationModel* model = nullptr;
  std::vector<std::string> references;
  std::optional<Translations> translations;
  comm::agree(comm, [&] {
    tokenizer = open_tokenizer(options);
    model = &resident.model(context, options, decoding, *tokenizer);
    if (decoding.reference) references = text::read_lines(*decoding.reference);
    translations.emplace(folder);
  });
  const bool filtered = !options.postprocess.empty();
  if (filtered) {
    runtime::agree_on_long_work(context, [&] {
      if (comm.is_root()) text::try_filter(options.postprocess);
    });
  }
  const TestSet set = read_test_set(context,
                                    {decoding.source, options.preprocess.source,
                                     decoding.block_sentences, model->info().source_positions},
                                    *tokenizer);
  report_idle_ranks(context, set, decoding.block_sentences);
  // All ranks have read the journals before any is written to.
  runtime::require_unchanged_inputs(context);
  const auto& unused = model->info().unused_settings;
  if (!unused.empty()) {
    context.log.info(
        fmt::format("the model's own search settings ({}) are not adopted: see beam_search",
                    fmt::join(unused, ", ")));
  }

  search::BeamOptions beam = decoding.beam;
  beam.never = text::ids_without_token(*tokenizer, model->info().vocab_size);
  const BlockTools tools{options, beam, *tokenizer, *model};
  Decoder decoder(context, decoding, set, *translations);
  if (decoding.knn && decoding.mode == KnnMode::memory) {
    decoder.run_from_memory(tools, *open_memory(context, options, decoding, data, resident));
  } else if (decoding.knn) {
    auto mixer = open_mixer(context, options, decoding, data, resident);
    decoder.run(tools, &mixer);
  } else {
    decoder.run(tools, nullptr);
  }
  runtime::StageOutcome outcome{core::Json::object(), decoder.finish()};
  const auto write_files = [&] {
    if (!comm.is_root()) return;
    const auto positions = model->info().target_positions;
    const bool searched = !decoding.knn || decoding.mode != KnnMode::memory;
    const auto report = Translations::write_files(
        folder, set, *tokenizer,
        {options.postprocess, searched ? std::optional(decoding.beam) : std::nullopt, positions});
    for (const auto& warning : report.warnings(decoding.beam, positions)) {
      context.log.warn(warning);
    }
    if (report.cut > 0) outcome.content["cut"] = report.cut;
    std::vector<std::string> files = {"src.txt", "hyp.txt", "nbest.jsonl"};
    if (decoding.reference) {
      std::string text;
      for (const auto& line : references) text += line + "\n";
      core::write_file_durably(folder / "ref.txt", text);
      files.push_back("ref.txt");
    }
    outcome.content["sentences"] = set.lines.size();
    for (const auto& datastore : data.datastores) {
      outcome.content["aside"]["indexes"].push_back(datastore.codebook.facts.factory);
    }
    outcome.content["files"] = runtime::describe_files(folder, files);
    outcome.content["hypotheses"] = core::fingerprint_file(folder / "nbest.jsonl");
  };
  filtered ? runtime::agree_on_long_work(context, write_files) : comm::agree(comm, write_files);
  return outcome;
}

core::Json decode_inputs(runtime::StageContext& context, const Options& options,
                         const DecodeOptions& decoding, const SearchedData& data) {
  core::Json mixing;
  comm::agree(context.comm, [&] {
    decoding.beam.validate();
    if (decoding.knn && decoding.mode != KnnMode::memory) {
      decoding.interpolation.validate(decoding.search.k);
      mixing = decoding.interpolation.inputs();
    }
    for (const auto& path : options.models) {
      model::read_model_info(path, model_options(context, decoding.dtype));
    }
    if (decoding.reference) {
      const auto lines = std::ssize(text::read_lines(decoding.source));
      const auto references = std::ssize(text::read_lines(*decoding.reference));
      if (lines != references) {
        throw core::InputError(fmt::format("{} has {} lines, {} has {}", decoding.source.string(),
                                           lines, decoding.reference->string(), references));
      }
    }
  });
  core::Json models = core::Json::array();
  for (const auto& path : options.models) models.push_back(model_fingerprint(context, path));
  core::Json inputs = {{"source", fingerprint_files(context, {decoding.source})},
                       {"models", models},
                       {"tokenizer", tokenizer_fingerprint(context, options)},
                       {"dtype", decoding.dtype},
                       {"device", context.placement.device.name()},
                       {"threads", options.threads},
                       {"beam", decoding.beam.beam},
                       {"length_penalty", decoding.beam.length_penalty},
                       {"max_length_a", decoding.beam.max_length_a},
                       {"max_length_b", decoding.beam.max_length_b},
                       {"nbest", decoding.beam.nbest},
                       {"block_sentences", decoding.block_sentences}};
  if (decoding.reference) {
    inputs["reference"] = fingerprint_files(context, {*decoding.reference});
  }
  if (!decoding.knn) return inputs;
  inputs.update(search_inputs(context, options, decoding, data));
  if (decoding.mode == KnnMode::memory) return inputs;
  inputs.update(mixing);
  return inputs;
}

}  // namespace

void decode(runtime::StageContext& context, const Options& options,
            const std::vector<std::string>& names) {
  context.log.set_stage("decode");
  comm::agree(context.comm, [&] {
    for (const auto& name : names) {
      const bool known = std::any_of(options.decode.begin(), options.decode.end(),
                                     [&](const DecodeOptions& set) { return set.name == name; });
      if (!known) throw core::InputError("the config has no 'decode' item named '" + name + "'");
    }
    if (options.decode.empty()) throw core::InputError("the config has no 'decode' items");
  });
  Resident resident;
  for (const auto& decoding : options.decode) {
    if (!names.empty() && std::find(names.begin(), names.end(), decoding.name) == names.end()) {
      continue;
    }
    decode_one(context, options, decoding, Folders(context.run_dir).decode, "decode", resident);
  }
}

void decode_one(runtime::StageContext& context, const Options& options,
                const DecodeOptions& decoding, const std::filesystem::path& decode_into,
                const std::string& prefix, Resident& resident) {
  const std::string stage = prefix + "-" + decoding.name;
  context.log.set_stage(stage);
  const auto folder = decode_into / decoding.name;
  const auto data = check_data(context, options, decoding);
  runtime::run_stage(
      context,
      {stage, folder, decode_inputs(context, options, decoding, data),
       [&] { return translate_set(context, options, decoding, data, folder, resident); },
       Translations::files(),
       core::Json::object({{"postprocess", filter_inputs(context, options.postprocess)}})});
  comm::agree(context.comm, [&] {
    if (context.comm.is_root()) Translations::remove_journals(folder);
  });
}

}  // namespace knnseq::stages
