#include "search/beam_search.hpp"

#include <utility>

#include <ATen/ATen.h>

#include "search/candidates.hpp"

namespace knnseq::search {

namespace {

SpecialTokens special_tokens(const model::ModelInfo& info, const BeamOptions& options) {
  SpecialTokens special{info.eos, info.bad_tokens, info.forced_tokens};
  special.never.push_back(info.pad);
  special.never.insert(special.never.end(), options.never.begin(), options.never.end());
  return special;
}

}  // namespace

BeamSearch::BeamSearch(model::TranslationModel& model, model::Sentences sources,
                       const model::EncodedSource& encoded, const BeamOptions& options)
    : model_(model), options_(options), masks_(special_tokens(model.info(), options)) {
  options_.validate();
  const model::ModelInfo& info = model.info();
  KNNSEQ_ASSERT(options.prefixes.empty() || options.prefixes.size() == sources.size(),
                "a prefix for each source");
  for (std::size_t i = 0; i < sources.size(); ++i) {
    beams_.emplace_back(options_,
                        options.greatest_length(std::ssize(sources[i]), info.target_positions));
    live_.push_back(i);
  }
  // All hypotheses of a sentence are the same at first, so one is enough.
  state_ = model.start(encoded, 1, options.key);
}

BeamSearch::Question BeamSearch::ask() {
  const model::StepOutput out = model_.step(*state_, last_tokens());
  log_probs_ = out.log_probs;
  // All rows whose sentence is not forced to end.
  std::vector<std::int64_t> asking;
  Question question;
  std::int64_t row = 0;
  for (const std::size_t i : live_) {
    for (std::size_t beam = 0; beam < beams_[i].live(); ++beam, ++row) {
      if (beams_[i].forced(masks_.special())) continue;
      asking.push_back(row);
      question.queries.sentences.push_back(static_cast<std::int64_t>(i));
    }
  }
  if (static_cast<std::int64_t>(asking.size()) == row) {
    asked_ = at::Tensor();
    question.queries.vectors = out.queries;
    question.log_probs = log_probs_;
    return question;
  }
  asked_ = at::tensor(asking, at::kLong).to(log_probs_.device(), /*non_blocking=*/true);
  if (asking.empty()) return question;
  question.queries.vectors = out.queries.index_select(0, asked_);
  question.log_probs = log_probs_.index_select(0, asked_);
  return question;
}

void BeamSearch::answer(at::Tensor log_probs) {
  at::Tensor all = std::exchange(log_probs_, {});
  const std::int64_t asked = asked_.defined() ? asked_.size(0) : all.size(0);
  if (asked > 0) {
    KNNSEQ_ASSERT(log_probs.sizes() == at::IntArrayRef({asked, all.size(1)}) &&
                      log_probs.scalar_type() == at::kFloat,
                  "the kNN step must keep the shape and dtype of the log-probs");
    if (asked_.defined()) {
      all.index_copy_(0, asked_, log_probs);
    } else {
      all = std::move(log_probs);
    }
  }
  const std::vector<std::int64_t> rows = advance(all.contiguous());
  if (!done()) model_.reorder(*state_, rows);
}

std::vector<std::vector<Hypothesis>> BeamSearch::take_results() {
  std::vector<std::vector<Hypothesis>> results;
  for (SentenceBeam& beam : beams_) results.push_back(beam.take_results());
  return results;
}

std::vector<core::TokenId> BeamSearch::last_tokens() const {
  std::vector<core::TokenId> tokens;
  for (const std::size_t i : live_) {
    for (std::size_t beam = 0; beam < beams_[i].live(); ++beam) {
      tokens.push_back(beams_[i].length() == 0 ? model_.info().decoder_start
                                               : beams_[i].last_token(beam));
    }
  }
  return tokens;
}

/// Returns the old rows that continue, and drops the sentences that ended.
std::vector<std::int64_t> BeamSearch::advance(const at::Tensor& log_probs) {
  const auto best = select(log_probs);
  std::vector<std::int64_t> rows;
  std::vector<std::size_t> still;
  std::int64_t first = 0;
  for (std::size_t place = 0; place < live_.size(); ++place) {
    SentenceBeam& beam = beams_[live_[place]];
    const auto count = static_cast<std::int64_t>(beam.live());
    for (const std::int64_t origin : beam.advance(best[place], masks_.special())) {
      rows.push_back(first + origin);
    }
    if (!beam.finished()) still.push_back(live_[place]);
    first += count;
  }
  live_ = std::move(still);
  return rows;
}

/// The best continuations of each sentence still there; masks are written into the log-probs.
std::vector<std::vector<Continuation>> BeamSearch::select(const at::Tensor& log_probs) {
  std::vector<float> scores;
  std::vector<std::uint8_t> at_end;
  for (const std::size_t i : live_) {
    for (std::size_t beam = 0; beam < beams_[i].live(); ++beam) {
      scores.push_back(beams_[i].score(beam));
      at_end.push_back(beams_[i].at_greatest_length() ? 1 : 0);
    }
  }
  const SentenceBeam& any = beams_[live_.front()];  // all have the same length
  const auto in_prefixes = find_in_prefixes(log_probs, any.length(), at_end);
  masks_.apply(log_probs, any.length(), at_end);
  if (in_prefixes.rows.defined()) {
    log_probs.index_fill_(0, in_prefixes.rows, minus_infinity);
    log_probs.view(-1).index_copy_(0, in_prefixes.places, in_prefixes.log_probs);
  }
  const auto path = options_.path.value_or(gpu::compute_path_on(log_probs.device()));
  const auto best =
      path == gpu::ComputePath::cpu ? best_continuations_cpu : best_continuations_torch;
  return best(log_probs, scores, static_cast<std::int64_t>(any.live()),
              2 * std::int64_t{options_.beam});
}

BeamSearch::InPrefixes BeamSearch::find_in_prefixes(const at::Tensor& log_probs,
                                                    std::int64_t length,
                                                    const std::vector<std::uint8_t>& at_end) const {
  const auto position = length - std::ssize(masks_.special().first);
  if (options_.prefixes.empty() || position < 0) return {};
  std::vector<std::int64_t> rows, places;
  std::int64_t row = 0;
  for (const std::size_t i : live_) {
    const auto& prefix = options_.prefixes[i];
    for (std::size_t beam = 0; beam < beams_[i].live(); ++beam, ++row) {
      if (position >= std::ssize(prefix) || at_end[row] != 0) continue;
      rows.push_back(row);
      places.push_back(row * log_probs.size(1) + prefix[position]);
    }
  }
  if (rows.empty()) return {};
  const at::Tensor there = at::tensor(places, at::kLong).to(log_probs.device());
  return {at::tensor(rows, at::kLong).to(log_probs.device()), there,
          log_probs.view(-1).index_select(0, there)};
}

std::vector<std::vector<Hypothesis>> beam_search(model::TranslationModel& model,
                                                 model::Sentences sources,
                                                 const BeamOptions& options, const KnnStep& knn) {
  options.validate();
  if (sources.empty()) return {};
  return beam_search(model, sources, model.encode(sources), options, knn);
}

std::vector<std::vector<Hypothesis>> beam_search(model::TranslationModel& model,
                                                 model::Sentences sources,
                                                 const model::EncodedSource& encoded,
                                                 const BeamOptions& options, const KnnStep& knn) {
  BeamSearch search(model, sources, encoded, options);
  while (!search.done()) {
    auto [queries, log_probs] = search.ask();
    if (knn && log_probs.defined()) knn(queries, log_probs);
    search.answer(std::move(log_probs));
  }
  return search.take_results();
}

}  // namespace knnseq::search
