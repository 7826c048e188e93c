#include "stages/shared/translation/resident_translator.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/text/translated_text.hpp"
#include "stages/shared/translation/request_settings.hpp"
#include "text/files/line_filter.hpp"

namespace knnseq::stages {

namespace {

/// What rank 0 posts to the others.
enum Command : std::int64_t { still_there, translate_batch, learn_pairs, end_of_work };

constexpr double sign_seconds = 10.0;  ///< between two signs of life, at most
constexpr auto nap = std::chrono::milliseconds(1);

}  // namespace

struct ResidentTranslator::Sentence {
  std::string line;
  std::vector<core::TokenId> source;  ///< framed; empty: an empty line
  std::vector<core::TokenId> prefix;
  std::int64_t nbest = 1;
  core::Json knn;
  std::optional<TraceOptions> trace;
  std::string error;  ///< why it is not translated

  core::Json to_json() const {
    core::Json json = {line, source, prefix, nbest, knn, error};
    if (trace) {
      json.push_back({trace->neighbours, trace->candidates, trace->plane, trace->tokens});
    }
    return json;
  }
  static Sentence from_json(const core::Json& json) {
    Sentence sentence{json[0].get<std::string>(),
                      json[1].get<std::vector<core::TokenId>>(),
                      json[2].get<std::vector<core::TokenId>>(),
                      json[3].get<std::int64_t>(),
                      json[4],
                      {},
                      json[5].get<std::string>()};
    if (json.size() > 6) {
      sentence.trace = {json[6][0], json[6][1], json[6][2],
                        json[6][3].get<std::vector<std::int64_t>>()};
    }
    return sentence;
  }
};

ResidentTranslator::ResidentTranslator(runtime::StageContext& context, const Options& options,
                                       const DecodeOptions& decoding)
    : context_(context), options_(options), decoding_(decoding), collector_(context.comm) {
  comm::agree(context.comm, [&] {
    tokenizer_ = open_tokenizer(options_);
    decoding_.beam.validate();
    with_settings(decoding_, nullptr, options_.index.metric);
    DecodeOptions of_all = decoding_;  // a request may ask for kNN
    of_all.knn = true;
    model_ = &resident_.model(context, options_, of_all, *tokenizer_);
    decoding_.beam.never = text::ids_without_token(*tokenizer_, model_->info().vocab_size);
  });
  if (!options_.postprocess.empty()) {
    comm::on_root(context.comm, [&] { text::try_filter(options_.postprocess); });
  }
  if (decoding_.knn) open(decoding_);
}

ResidentTranslator::Opened& ResidentTranslator::open(const DecodeOptions& decoding) {
  if (!opened_.contains(decoding.mode)) {
    auto data = check_data(context_, options_, decoding);
    Opened opened;
    opened.text = std::make_unique<DatastoreText>(context_.comm, data, *tokenizer_);
    if (decoding.mode == KnnMode::memory) {
      opened.memory = open_memory(context_, options_, decoding, data, resident_);
    } else {
      opened.mixer.emplace(open_mixer(context_, options_, decoding, data, resident_));
      opened.policy = decoding.interpolation.inputs().dump();
    }
    opened.data = std::move(data);
    auto& kept = opened_.emplace(decoding.mode, std::move(opened)).first->second;
    if (decoding.mode == KnnMode::plain && decoding.datastores.empty()) {
      kept.learner =
          std::make_unique<Learner>(context_,
                                    LearnerTools{options_, kept.data.datastores.front(),
                                                 *tokenizer_, *model_, *kept.mixer, *kept.text},
                                    decoding.search);
    }
  }
  Opened& opened = opened_.at(decoding.mode);
  if (opened.mixer) {
    comm::agree(context_.comm, [&] {
      for (const auto& datastore : opened.data.datastores) {
        require_fits(context_, decoding.search, datastore);
      }
      decoding.search.validate();
      const auto policy = decoding.interpolation.inputs().dump();
      if (policy != opened.policy) {
        opened.mixer->set_policy(make_policy(context_, decoding));
        opened.policy = policy;
      }
    });
    opened.mixer->set_options(decoding.search);
  }
  return opened;
}

ResidentTranslator::Sentence ResidentTranslator::prepare(const TranslationRequest& request,
                                                         const std::string& line) const {
  const auto& info = model_->info();
  const auto frame = tokenizer_->source_frame();
  const auto tokens = tokenizer_->encode_source(line);
  if (std::ssize(tokens) + frame.size() > info.source_positions) {
    context_.log.warn(fmt::format("a source of {} tokens is cut to the model's {} positions",
                                  tokens.size(), info.source_positions));
  }
  Sentence sentence{request.line,
                    frame.around(tokens, info.source_positions),
                    {},
                    request.nbest,
                    request.knn,
                    request.trace,
                    {}};
  if (!request.prefix.empty()) sentence.prefix = tokenizer_->encode_target(request.prefix);
  const auto most =
      decoding_.beam.greatest_length(std::ssize(sentence.source), info.target_positions) -
      std::ssize(info.forced_tokens);
  if (std::ssize(sentence.prefix) > most) {
    sentence.error = fmt::format("prefix has {} tokens, and the translation at most {}",
                                 sentence.prefix.size(), std::max<std::int64_t>(most, 0));
  }
  const auto special = [&](core::TokenId token) { return tokenizer_->is_special(token); };
  if (std::ranges::any_of(sentence.prefix, special)) {
    sentence.error = "prefix spells a special token, such as the end of sentence";
  }
  if (request.nbest < 1 || request.nbest > decoding_.beam.beam) {
    sentence.error = fmt::format("nbest is {}, it must lie between 1 and beam_search.beam, {}",
                                 request.nbest, decoding_.beam.beam);
  }
  return sentence;
}

void ResidentTranslator::translate(const std::vector<TranslationRequest>& requests,
                                   const Deliver& deliver) {
  std::size_t begin = 0;
  while (begin < requests.size()) {
    const bool lessons = requests[begin].lesson.has_value();
    auto end = begin;
    while (end < requests.size() && requests[end].lesson.has_value() == lessons) ++end;
    const auto some = Requests(requests).subspan(begin, end - begin);
    const auto deliver_some = [&](std::size_t request, TranslationAnswer answer) {
      deliver(begin + request, std::move(answer));
    };
    lessons ? learn_some(some, deliver_some) : translate_some(some, deliver_some);
    since_told_ = {};
    begin = end;
  }
}

void ResidentTranslator::learn_some(Requests requests, const Deliver& deliver) {
  std::vector<Lesson> lessons;
  for (const auto& request : requests) lessons.push_back(*request.lesson);
  tell_others(learn_pairs);
  auto results = learn(lessons);
  for (std::size_t i = 0; i < results.size(); ++i) {
    TranslationAnswer answer;
    answer.error = std::move(results[i].error);
    answer.learned_line = results[i].line;
    deliver(i, std::move(answer));
  }
}

/// The lessons of rank 0, and its results. Collective.
std::vector<LessonResult> ResidentTranslator::learn(const std::vector<Lesson>& lessons) {
  try {
    DecodeOptions decoding;
    comm::agree(context_.comm, [&] {
      if (!decoding_.datastores.empty()) {
        throw core::InputError(
            "learn: only the run directory's own datastore can be added to, and knn.datastores "
            "names others");
      }
      decoding = with_settings(decoding_, {{"mode", "plain"}}, options_.index.metric);
    });
    return open(decoding).learner->learn(lessons, decoding.search);
  } catch (const comm::AgreedError& e) {
    // All ranks refuse to open the datastore, before anything was learned.
    if (e.code() != core::ExitCode::bad_input || e.ranks() != context_.comm.size()) throw;
    return std::vector<LessonResult>(lessons.size(), {0, e.what()});
  }
}

void ResidentTranslator::translate_some(Requests requests, const Deliver& deliver) {
  std::vector<std::string> lines;
  lines.reserve(requests.size());
  for (const auto& request : requests) lines.push_back(request.line);
  if (!options_.preprocess.source.empty()) {
    lines = text::filter_lines(options_.preprocess.source, lines);
  }
  std::vector<Sentence> batch;
  core::Json json = core::Json::array();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    batch.push_back(prepare(requests[i], lines[i]));
    json.push_back(batch.back().to_json());
  }
  tell_others(translate_batch);
  if (context_.comm.size() > 1) context_.comm.broadcast_string(json.dump());
  work(batch, deliver);
}

void ResidentTranslator::serve() {
  obs::Stopwatch since_heard;
  while (true) {
    const auto command = context_.comm.poll();
    if (!command) {
      if (context_.timeout_seconds > 0 && since_heard.seconds() > context_.timeout_seconds) {
        throw core::SystemError(fmt::format(
            "nothing was heard from rank 0 for {:.0f} s (timeout_seconds in the config)",
            context_.timeout_seconds));
      }
      std::this_thread::sleep_for(nap);
      continue;
    }
    since_heard = {};
    if (command->front() == end_of_work) break;
    if (command->front() == learn_pairs) learn({});
    if (command->front() == translate_batch) {
      std::vector<Sentence> batch;
      for (const auto& json : core::Json::parse(context_.comm.broadcast_string(""))) {
        batch.push_back(Sentence::from_json(json));
      }
      work(batch, [](std::size_t, TranslationAnswer) {});
    }
    since_heard = {};
  }
  comm::agree(context_.comm, [] {});
}

void ResidentTranslator::keep_alive() {
  const double silence = context_.timeout_seconds;
  const double interval = silence > 0 ? std::min(sign_seconds, silence / 3) : sign_seconds;
  if (since_told_.seconds() > interval) tell_others(still_there);
}

void ResidentTranslator::end(std::exception_ptr failure) {
  tell_others(end_of_work);
  comm::agree(context_.comm, [&] {
    if (failure) std::rethrow_exception(failure);
  });
}

void ResidentTranslator::tell_others(std::int64_t command) {
  for (int rank = 1; rank < context_.comm.size(); ++rank) {
    context_.comm.post(rank, std::span(&command, 1));
  }
  since_told_ = {};
}

/// Those of a batch that ask for the same settings are translated together.
void ResidentTranslator::work(const std::vector<Sentence>& batch, const Deliver& deliver) {
  std::map<std::string, std::vector<std::int64_t>> groups;
  std::vector<std::string> order;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!batch[i].error.empty()) {
      if (context_.comm.is_root()) deliver(i, {{}, {}, {}, batch[i].error, 0});
      continue;
    }
    const auto key = batch[i].knn.dump();
    if (!groups.contains(key)) order.push_back(key);
    groups[key].push_back(static_cast<std::int64_t>(i));
  }
  for (const auto& key : order) {
    try {
      translate_group(batch, groups.at(key), deliver);
    } catch (const comm::AgreedError& e) {
      // All ranks have refused the settings, before anything was translated.
      if (e.code() != core::ExitCode::bad_input || e.ranks() != context_.comm.size()) throw;
      if (!context_.comm.is_root()) continue;
      for (const auto i : groups.at(key)) {
        deliver(static_cast<std::size_t>(i), {{}, {}, {}, e.what(), 0});
      }
    }
  }
}

void ResidentTranslator::translate_group(const std::vector<Sentence>& batch,
                                         const std::vector<std::int64_t>& group,
                                         const Deliver& deliver) {
  DecodeOptions decoding;
  comm::agree(context_.comm, [&] {
    decoding = with_settings(decoding_, batch[group.front()].knn, options_.index.metric);
  });
  Opened* opened = decoding.knn ? &open(decoding) : nullptr;

  std::vector<std::vector<core::TokenId>> sources;
  for (const auto i : group) {
    sources.push_back(batch[i].source);
    decoding.beam.nbest = std::max(decoding.beam.nbest, static_cast<int>(batch[i].nbest));
  }
  auto blocks = cut_blocks(sources, decoding.block_sentences);
  BlockWork work;
  work.stops = false;
  bool prefixes = false;
  for (std::size_t block = 0; block < blocks.size(); ++block) {
    work.blocks.push_back(static_cast<std::int64_t>(block));
    for (auto& place : blocks[block]) {
      place = group[place];  // in the batch
      prefixes = prefixes || !batch[place].prefix.empty();
    }
  }
  const auto of_block = [&](std::int64_t block, auto Sentence::*member) {
    std::vector<std::vector<core::TokenId>> all;
    for (const auto i : blocks[block]) all.push_back(batch[i].*member);
    return all;
  };
  work.sources = [&](std::int64_t block) { return of_block(block, &Sentence::source); };
  if (prefixes) {
    work.prefixes = [&](std::int64_t block) { return of_block(block, &Sentence::prefix); };
  }
  const bool root = context_.comm.is_root();
  work.done = [&](std::int64_t block, std::vector<std::vector<search::Hypothesis>> best) {
    TranslatedBlock translated{blocks[block], std::move(best)};
    if (root) {
      finish(batch, std::move(translated), deliver);
    } else {
      post_block(context_.comm, translated);
    }
  };
  obs::Stopwatch since_heard;
  const auto collect = [&] {
    for (auto& block : collector_.collect()) {
      finish(batch, std::move(block), deliver);
      since_heard = {};
    }
  };
  if (root) {
    work.between = collect;
    unfinished_ = group.size();
    TranslatedBlock empty_lines;
    for (const auto i : group) {
      if (!batch[i].source.empty()) continue;
      empty_lines.sentences.push_back(i);
      empty_lines.best.emplace_back();
    }
    finish(batch, std::move(empty_lines), deliver);
  }
  const BlockTools tools{options_, decoding.beam, *tokenizer_, *model_};
  if (!work.blocks.empty() && opened != nullptr && opened->memory) {
    recall_blocks(context_, tools, work, *opened->memory);
  } else if (!work.blocks.empty()) {
    translate_blocks(context_, tools, work, opened == nullptr ? nullptr : &opened->mixer.value());
  }
  since_heard = {};
  while (root && unfinished_ > 0) {
    collect();
    if (context_.timeout_seconds > 0 && since_heard.seconds() > context_.timeout_seconds) {
      throw core::SystemError(fmt::format(
          "nothing was heard from the other ranks for {:.0f} s (timeout_seconds in the config)",
          context_.timeout_seconds));
    }
    if (unfinished_ > 0) std::this_thread::sleep_for(nap);
  }
  trace_answers(decoding, opened, batch, group, deliver);
}

/// Makes text of translations and delivers them, on rank 0; those to be traced wait for that.
void ResidentTranslator::finish(const std::vector<Sentence>& batch, TranslatedBlock block,
                                const Deliver& deliver) {
  std::vector<std::vector<core::TokenId>> tokens;
  for (std::size_t i = 0; i < block.sentences.size(); ++i) {
    auto& best = block.best[i];
    const auto nbest = static_cast<std::size_t>(batch[block.sentences[i]].nbest);
    if (best.size() > nbest) best.resize(nbest);
    for (const auto& hypothesis : best) {
      require_target_tokens(hypothesis.tokens, *tokenizer_, "a translation");
      tokens.push_back(hypothesis.tokens);
    }
  }
  const auto texts = texts_of_translations(tokens, *tokenizer_, options_.postprocess);
  auto text = texts.lines.begin();
  for (std::size_t i = 0; i < block.sentences.size(); ++i) {
    const auto place = block.sentences[i];
    TranslationAnswer answer;
    answer.best = std::move(block.best[i]);
    answer.texts.assign(text, text + std::ssize(answer.best));
    text += std::ssize(answer.best);
    --unfinished_;
    if (batch[place].trace) {
      untraced_[place] = std::move(answer);
    } else {
      deliver(static_cast<std::size_t>(place), std::move(answer));
    }
  }
}

void ResidentTranslator::trace_answers(const DecodeOptions& decoding, Opened* opened,
                                       const std::vector<Sentence>& batch,
                                       const std::vector<std::int64_t>& group,
                                       const Deliver& deliver) {
  std::map<TraceOptions, std::vector<std::int64_t>> alike;  // are traced together
  for (const auto i : group) {
    if (const auto& how = batch[i].trace) alike[*how].push_back(i);
  }
  if (alike.empty()) return;
  TracedDecoding traced{options_, decoding, *tokenizer_, *model_};
  if (opened != nullptr) {
    traced.mixer = opened->mixer ? &*opened->mixer : nullptr;
    traced.memory = opened->memory.get();
    traced.text = opened->text.get();
  }
  for (const auto& [how, places] : alike) {
    core::Json targets = core::Json::array();
    for (const auto place : places) {
      const auto answer = untraced_.find(place);  // on rank 0
      const bool has = answer != untraced_.end() && !answer->second.best.empty();
      targets.push_back(has ? answer->second.best.front().tokens : std::vector<core::TokenId>());
    }
    targets = core::Json::parse(context_.comm.broadcast_string(targets.dump()));
    std::vector<TracedTranslation> translations;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto& sentence = batch[places[i]];
      translations.push_back(
          {sentence.line, sentence.source, targets[i].get<std::vector<core::TokenId>>(), {}});
    }
    auto traces = trace(context_, traced, translations, how);
    for (std::size_t i = 0; i < places.size() && context_.comm.is_root(); ++i) {
      auto answer = std::move(untraced_.extract(places[i]).mapped());
      answer.trace = std::move(traces[i]);
      deliver(static_cast<std::size_t>(places[i]), std::move(answer));
    }
  }
}

}  // namespace knnseq::stages
