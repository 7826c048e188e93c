#include "stages/decode/decode.hpp"

#include <algorithm>
#include <atomic>
#include <functional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/agreement.hpp"
#include "comm/self_communicator.hpp"
#include "comm/shared_memory.hpp"
#include "core/error.hpp"
#include "model/load_model.hpp"
#include "runtime/input_files.hpp"
#include "runtime/long_work.hpp"
#include "runtime/progress.hpp"
#include "runtime/stage_runner.hpp"
#include "runtime/stop_signal.hpp"
#include "search/beam_search.hpp"
#include "stages/decode/block_schedule.hpp"
#include "stages/decode/test_set.hpp"
#include "stages/decode/translations.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/search/open_mixer.hpp"
#include "stages/shared/search/open_subset.hpp"
#include "stages/shared/text/sentence_block.hpp"
#include "text/files/line_filter.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

/// Makes what a search in subsets finds similar sentences by.
using SentenceDescriber =
    std::function<retrieval::SentenceBlock(model::Sentences, const model::EncodedSource&)>;

/// Deals blocks, in their order, to the ranks that ask for one. Each node has a share of them, by
/// the number of its ranks, and a counter in memory that its ranks read. Collective when it is
/// made.
class BlockDealer {
 public:
  BlockDealer(comm::Communicator& comm, const std::vector<std::int64_t>& blocks) {
    const auto node = comm.split_by_node();
    const bool shared = comm::can_share_memory(*node);
    // Ranks that cannot share a counter have each a share of their own.
    const std::int64_t team = node->all_reduce(std::int64_t{comm.rank()}, comm::Reduction::min);
    const std::int64_t own = shared ? team : comm.rank();
    const auto teams = comm.all_gather(std::span<const std::int64_t>(&own, 1)).values;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (teams[i % teams.size()] == own) blocks_.push_back(blocks[i]);
    }
    counter_ =
        comm::make_shared_memory(shared ? *node : comm::self_communicator(), sizeof(std::int64_t));
  }

  std::optional<std::int64_t> next() {
    const std::atomic_ref<std::int64_t> counter(*reinterpret_cast<std::int64_t*>(counter_.get()));
    const auto i = counter.fetch_add(1);
    return i < std::ssize(blocks_) ? std::optional(blocks_[i]) : std::nullopt;
  }

 private:
  std::vector<std::int64_t> blocks_;
  std::shared_ptr<std::byte> counter_;  ///< an int64: of blocks that were dealt
};

/// One rank's part in translating one test set.
class Decoder {
 public:
  Decoder(runtime::StageContext& context, const DecodeOptions& options,
          model::TranslationModel& model, const TestSet& set, Translations& translations)
      : context_(context),
        options_(options),
        model_(model),
        set_(set),
        translations_(translations),
        progress_(context, "sentences", sentences_of(all_blocks())) {
    if (context.comm.is_root()) {
      for (const auto block : translations.done()) progress_.skip(sentences_of({block}));
    }
  }

  void run_without_knn() { run_alone(nullptr); }

  /// Translates with neighbours; describe: what sentences are looked for by in subsets.
  void run_with_knn(retrieval::KnnMixer& mixer, const SentenceDescriber& describe) {
    if (mixer.collective()) {
      run_in_steps(mixer);
    } else if (mixer.begins_together()) {
      run_in_subsets(mixer, describe);
    } else {
      run_alone(&mixer);
    }
    for (const auto& line : mixer.summaries()) context_.log.info("search on rank 0: " + line);
    if (options_.interpolation.gate.empty()) return;
    const auto queries = context_.comm.all_reduce(mixer.queries(), comm::Reduction::sum);
    const auto searched = context_.comm.all_reduce(mixer.searched(), comm::Reduction::sum);
    work_.details = {{"queries", queries}, {"searched", searched}};
    context_.log.info(fmt::format("searches skipped: {:.1f} % of {} queries",
                                  100 * static_cast<double>(queries - searched) /
                                      static_cast<double>(std::max<std::int64_t>(queries, 1)),
                                  obs::with_commas(queries)));
  }

  /// What a translation memory gives: the target of the most similar source, whatever the model
  /// says. Its score is minus the distance of the two.
  void run_from_memory(retrieval::SubsetSearch& search, const SentenceDescriber& describe) {
    run_in_rounds([&](std::optional<std::int64_t> block) {
      retrieval::SentenceBlock looked_for;
      if (block) {
        const auto sources = sources_of(*block);
        looked_for = describe(sources, model_.encode(sources));
      }
      std::vector<std::vector<search::Hypothesis>> found;
      for (auto& nearest : search.find_nearest(looked_for)) {
        if (nearest.target.empty()) nearest.target = {model_.info().eos};
        found.push_back({{std::move(nearest.target), -double{nearest.distance}, {}}});
      }
      if (block) commit(*block, found);
    });
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
  /// Every rank translates by itself and takes the next block as soon as it is done with one.
  /// mixer: null without kNN.
  void run_alone(retrieval::KnnMixer* mixer) {
    search::KnnStep knn;
    if (mixer != nullptr) {
      knn = [&](const search::KnnQueries& asked, at::Tensor& log_probs) {
        mixer->mix(asked.vectors, asked.sentences, log_probs);
      };
    }
    BlockDealer dealer(context_.comm, blocks_left());
    const obs::Stopwatch watch;
    while (!runtime::stop_requested()) {
      const auto block = dealer.next();
      if (!block) break;
      const auto made = search::beam_search(model_, sources_of(*block), options_.beam, knn);
      if (mixer != nullptr) mixer->check();
      commit(*block, made);
    }
    work_.seconds = watch.seconds();
  }

  /// All ranks step together: each step of a block is one exchange in which every rank searches its
  /// part of the datastore for all (of several datastores one after the other). A rank without a
  /// block goes on searching for the others.
  void run_in_steps(retrieval::KnnMixer& mixer) {
    const obs::Stopwatch watch;
    BlockSchedule schedule(blocks_left());
    const auto tell = [&](RankStatus status) {
      mixer.set_status(static_cast<std::int64_t>(status));
    };
    const search::KnnStep knn = [&](const search::KnnQueries& asked, at::Tensor& log_probs) {
      mixer.mix(asked.vectors, asked.sentences, log_probs);
      schedule.update(mixer.statuses(), context_.comm.rank());
    };
    auto status = RankStatus::waiting;
    while (!schedule.finished()) {
      if (runtime::stop_requested()) status = RankStatus::stopped;
      tell(status);
      mixer.serve();
      const auto block = schedule.update(mixer.statuses(), context_.comm.rank());
      if (block) {
        tell(RankStatus::busy);
        const auto made = search::beam_search(model_, sources_of(*block), options_.beam, knn);
        mixer.check();
        commit(*block, made);
      } else if (status == RankStatus::waiting) {
        status = RankStatus::idle;
      }
    }
    work_.seconds = watch.seconds();
  }

  /// Every rank begins one of the blocks that are left, all together, and then translates it
  /// without the others.
  void run_in_subsets(retrieval::KnnMixer& mixer, const SentenceDescriber& describe) {
    const search::KnnStep knn = [&](const search::KnnQueries& asked, at::Tensor& log_probs) {
      mixer.mix(asked.vectors, asked.sentences, log_probs);
    };
    run_in_rounds([&](std::optional<std::int64_t> block) {
      if (!block) return mixer.begin({});
      const auto sources = sources_of(*block);
      const auto encoded = model_.encode(sources);
      mixer.begin(describe(sources, encoded));
      const auto made = search::beam_search(model_, sources, encoded, options_.beam, knn);
      mixer.check();
      commit(*block, made);
    });
  }

  /// Calls `work` with one of the blocks that are left, on all ranks together; without one if
  /// there are no more for this rank.
  void run_in_rounds(const std::function<void(std::optional<std::int64_t>)>& work) {
    const obs::Stopwatch watch;
    const auto left = blocks_left();
    const auto ranks = static_cast<std::size_t>(context_.comm.size());
    for (auto i = static_cast<std::size_t>(context_.comm.rank()); i - i % ranks < left.size();
         i += ranks) {
      if (!context_.comm.all(!runtime::stop_requested())) break;
      work(i < left.size() ? std::optional(left[i]) : std::nullopt);
    }
    work_.seconds = watch.seconds();
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
  model::TranslationModel& model_;
  const TestSet& set_;
  Translations& translations_;
  runtime::Progress progress_;
  runtime::StageWork work_{"tokens", 0, 0};
  std::int64_t sentences_done_ = 0;
};

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
  // All ranks have read the journals before any is written to.
  runtime::require_unchanged_inputs(context);
  const auto& unused = model->info().unused_settings;
  if (!unused.empty()) {
    context.log.info(
        fmt::format("the model's own search settings ({}) are not adopted: see beam_search",
                    fmt::join(unused, ", ")));
  }

  DecodeOptions how = decoding;
  how.beam.never = text::ids_without_token(*tokenizer, model->info().vocab_size);
  Decoder decoder(context, how, *model, set, *translations);
  const auto describe = [&](model::Sentences sources, const model::EncodedSource& encoded) {
    return make_sentence_block(options.subset, *tokenizer, sources, encoded);
  };
  if (decoding.knn && decoding.mode == KnnMode::memory) {
    Options nearest = options;
    nearest.subset.sentences = 1;
    const auto held = resident.subset(context, nearest, *data.subset);
    decoder.run_from_memory(*make_subset_search(context, held, 1), describe);
  } else if (decoding.knn) {
    auto mixer = open_mixer(context, options, decoding, data, resident);
    decoder.run_with_knn(mixer, describe);
  } else {
    decoder.run_without_knn();
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
