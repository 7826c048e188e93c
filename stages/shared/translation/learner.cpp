#include "stages/shared/translation/learner.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"

namespace knnseq::stages {

namespace {

PairRules rules_for(const Options& options, const model::ModelInfo& info) {
  PairRules rules;
  rules.corpus.drop_bad_pairs = true;
  rules.preprocess = options.preprocess;
  rules.source_tokens = info.source_positions;
  rules.target_tokens = info.target_tokens();
  return rules;
}

LearnedPair pair_of(const SentencePairs& pairs, std::int64_t i) {
  const auto part = [i](const auto& tokens, const auto& starts) {
    return std::vector<core::TokenId>(tokens.begin() + starts[static_cast<std::size_t>(i)],
                                      tokens.begin() + starts[static_cast<std::size_t>(i) + 1]);
  };
  return {part(pairs.source_tokens, pairs.source_starts),
          part(pairs.target_tokens, pairs.target_starts)};
}

/// Rank 0's value on all ranks.
core::Json share(comm::Communicator& comm, const core::Json& json) {
  return core::Json::parse(comm.broadcast_string(json.dump()));
}

}  // namespace

Learner::Learner(runtime::StageContext& context, LearnerTools tools,
                 const retrieval::SearchOptions& search)
    : context_(context),
      tools_(tools),
      rules_(rules_for(tools.options, tools.model.info())),
      written_(context.run_dir) {
  core::Json known = core::Json::array();
  comm::on_root(context.comm, [&] {
    const auto first = appended_lines(context.run_dir, tools.datastore);
    const auto lines = written_.read(first);
    const auto pairs = pairs_of_lines(lines.sources, lines.targets, rules_, tools.tokenizer);
    for (std::int64_t i = 0; i < pairs.count(); ++i) {
      const auto pair = pair_of(pairs, i);
      known.push_back({pair.source, pair.target, first + pairs.lines[i]});
    }
    if (const auto bad = std::ssize(lines.sources) - pairs.count(); bad > 0) {
      context.log.warn(
          fmt::format("{} of {} learned pairs cannot be used with this model and tokeniser", bad,
                      lines.sources.size()));
    }
  });
  known = share(context.comm, known);
  if (known.empty()) return;
  entries_.emplace(context, tools.options, tools.datastore);
  comm::agree(context.comm, [&] {
    for (const auto& item : known) {
      const LearnedPair pair{item[0].get<std::vector<core::TokenId>>(),
                             item[1].get<std::vector<core::TokenId>>()};
      keep(pair, entries_->code(tools.model, pair), item[2].get<std::int64_t>());
    }
  });
  context.log.info(
      fmt::format("{} pairs that were learned before are searched too (learned/)", known.size()));
  search_them(search);
}

std::vector<LessonResult> Learner::learn(const std::vector<Lesson>& lessons,
                                         const retrieval::SearchOptions& search) {
  const auto count = share(context_.comm, lessons.size()).get<std::size_t>();
  if (!entries_) entries_.emplace(context_, tools_.options, tools_.datastore);
  std::vector<LessonResult> results;
  for (std::size_t i = 0; i < count; ++i) {
    results.push_back(learn_one(i < lessons.size() ? lessons[i] : Lesson{}));
  }
  search_them(search);
  return results;
}

/// Throws core::InputError saying why the pair is no entry of a datastore.
LearnedPair Learner::tokenise(const Lesson& lesson) const {
  const auto pairs =
      pairs_of_lines({&lesson.source, 1}, {&lesson.target, 1}, rules_, tools_.tokenizer);
  if (pairs.count() == 1) return pair_of(pairs, 0);
  for (std::size_t reason = 1; reason < drop_reasons; ++reason) {
    if (pairs.dropped[reason].count == 0) continue;
    throw core::InputError(
        fmt::format("cannot be learned: {}", core::name_of(static_cast<DropReason>(reason))));
  }
  throw core::InputError("cannot be learned");
}

LessonResult Learner::learn_one(const Lesson& lesson) {
  LessonResult result;
  core::Json pair_json;
  const auto try_on_root = [&](auto work) {
    if (!context_.comm.is_root()) return;
    try {
      work();
    } catch (const core::Error& e) {
      result.error = e.what();
    }
  };
  try_on_root([&] {
    const auto pair = tokenise(lesson);
    pair_json = {pair.source, pair.target};
  });
  pair_json = share(context_.comm, pair_json);
  if (pair_json.is_null()) return result;
  const LearnedPair pair{pair_json[0].get<std::vector<core::TokenId>>(),
                         pair_json[1].get<std::vector<core::TokenId>>()};
  index::CodedEntries coded;
  try {
    comm::agree(context_.comm, [&] { coded = entries_->code(tools_.model, pair); });
  } catch (const comm::AgreedError& e) {
    if (e.code() != core::ExitCode::bad_input || e.ranks() != context_.comm.size()) throw;
    result.error = e.what();
    return result;
  }
  core::Json line;  // null: it was not written
  try_on_root([&] { line = written_.append(lesson.source, lesson.target); });
  line = share(context_.comm, line);
  if (line.is_null()) return result;
  result.line = line.get<std::int64_t>() + 1;
  keep(pair, std::move(coded), line.get<std::int64_t>());
  return result;
}

void Learner::keep(const LearnedPair& pair, index::CodedEntries coded, std::int64_t line) {
  auto text = entries_->keep(pair, std::move(coded), line);
  if (!context_.comm.is_root()) return;
  tools_.text.add(0, "learned", entries_->first_entry(), std::move(text));
}

void Learner::search_them(const retrieval::SearchOptions& search) {
  if (entries_->entries() > 0) tools_.mixer.set_later(entries_->search(search));
}

}  // namespace knnseq::stages
