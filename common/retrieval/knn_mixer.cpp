#include "retrieval/knn_mixer.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "index/core/merge_top_k.hpp"

namespace knnseq::retrieval {

namespace {

std::vector<std::int64_t> to_vector(const at::Tensor& rows) {
  const at::Tensor there = rows.to(at::kCPU).contiguous();
  const auto* first = there.const_data_ptr<std::int64_t>();
  return {first, first + there.numel()};
}

/// The nearest of two searches for the same queries, as many as each gave.
index::TopK nearest_of_both(const index::TopK& first, const index::TopK& second) {
  const index::TopK both{at::cat({first.distances, second.distances}, 1),
                         at::cat({first.ids, second.ids}, 1)};
  const auto path = gpu::compute_path_on(both.ids.device());
  return path == gpu::ComputePath::cpu ? index::merge_top_k_cpu(both, first.k())
                                       : index::merge_top_k_torch(both, first.k());
}

/// The queries of one search, whose first column is `column`.
at::Tensor columns_of(const PendingMix& step, std::int64_t column, const KnnSearch& search) {
  return step.queries.narrow(1, column, search.width()).contiguous();
}

}  // namespace

KnnMixer::KnnMixer(std::vector<std::unique_ptr<KnnSearch>> searches,
                   std::unique_ptr<MixingPolicy> policy, std::optional<gpu::ComputePath> path)
    : searches_(std::move(searches)), policy_(std::move(policy)), path_(path) {
  KNNSEQ_ASSERT(!searches_.empty() && policy_, "a search and a policy");
  for (const auto& search : searches_) {
    KNNSEQ_ASSERT(search->collective() == collective(), "searches that work differently");
    KNNSEQ_ASSERT(!search->in_subsets() || searches_.size() == 1, "several searches in subsets");
  }
}

void KnnMixer::set_options(const SearchOptions& options) {
  for (const auto& search : searches_) search->set_options(options);
  if (later_) later_->set_options(options);
}

void KnnMixer::begin(const SentenceBlock& block) {
  for (const auto& search : searches_) search->begin(block);
}

void KnnMixer::mix(const at::Tensor& queries, std::span<const std::int64_t> sentences,
                   const at::Tensor& log_probs) {
  PendingMix step = start(queries, sentences, log_probs, 0);
  serve(step);
  finish(step);
}

KnnMixer::Explanation KnnMixer::mix_and_explain(const at::Tensor& queries,
                                                std::span<const std::int64_t> sentences,
                                                const at::Tensor& log_probs) {
  Explanation explanation(searches_.size(), std::vector<Explained>(queries.size(0)));
  PendingMix step = start(queries, sentences, log_probs, 0);
  serve(step);
  finish(step, &explanation);
  return explanation;
}

std::vector<index::TopK> KnnMixer::find(const at::Tensor& queries,
                                        std::span<const std::int64_t> sentences) {
  PendingMix step;
  step.queries = queries;
  step.sentences.assign(sentences.begin(), sentences.end());
  start_searches(step, 0);
  serve(step);
  return finish_searches(step);
}

void KnnMixer::serve() {
  PendingMix step = start(0);
  serve(step);
  finish(step);
}

PendingMix KnnMixer::start(const at::Tensor& queries, std::span<const std::int64_t> sentences,
                           const at::Tensor& log_probs, std::int64_t status) {
  KNNSEQ_ASSERT(queries.size(0) == log_probs.size(0) && std::ssize(sentences) == queries.size(0),
                "a query and its sentence for each row of log-probs");
  PendingMix step;
  step.log_probs = log_probs;
  queries_ += queries.size(0);
  // Without queries there is nothing to choose from.
  if (queries.size(0) > 0) step.rows = policy_->choose({queries, log_probs});
  if (step.rows.defined()) {
    step.queries = queries.index_select(0, step.rows);
    for (const auto row : to_vector(step.rows)) step.sentences.push_back(sentences[row]);
  } else {
    step.queries = queries;
    step.sentences.assign(sentences.begin(), sentences.end());
  }
  searched_ += step.queries.size(0);
  // Other ranks may wait for this one, whatever it asks.
  if (step.queries.size(0) > 0 || collective()) start_searches(step, status);
  return step;
}

PendingMix KnnMixer::start(std::int64_t status) {
  PendingMix step;
  std::int64_t width = 0;
  for (const auto& search : searches_) width += search->width();
  step.queries = at::empty({0, width});
  start_searches(step, status);
  return step;
}

void KnnMixer::start_searches(PendingMix& step, std::int64_t status) {
  std::int64_t column = 0;
  for (const auto& search : searches_) {
    step.searches.push_back(
        search->start(columns_of(step, column, *search), step.sentences, status));
    column += search->width();
  }
}

void KnnMixer::serve(PendingMix& step) {
  for (const auto& search : step.searches) search->serve();
}

std::vector<index::TopK> KnnMixer::finish_searches(PendingMix& step) {
  std::vector<index::TopK> found;
  for (const auto& search : step.searches) found.push_back(search->finish());
  if (later_ && step.queries.size(0) > 0) {
    const at::Tensor own = columns_of(step, 0, *searches_.front());
    found.front() = nearest_of_both(found.front(), later_->search(own, step.sentences));
  }
  return found;
}

void KnnMixer::finish(PendingMix& step) { finish(step, nullptr); }

void KnnMixer::finish(PendingMix& step, Explanation* explanation) {
  const auto found = finish_searches(step);
  if (step.queries.size(0) == 0) return;
  const at::Tensor& all = step.log_probs;
  const at::Tensor log_probs = step.rows.defined() ? all.index_select(0, step.rows) : all;
  std::vector<index::TopK> there;
  std::vector<Mixing> how;
  for (const auto& of_datastore : found) {
    there.push_back(of_datastore.to(log_probs.device()));
    how.push_back(policy_->decide({step.queries, log_probs}, there.back()));
    if (!weights_.empty()) how.back().log_weights = weights_[how.size() - 1].of(there.back());
  }
  share_among_datastores(how);
  for (std::size_t i = 0; i < there.size(); ++i) interpolate(log_probs, there[i], how[i]);
  if (step.rows.defined()) all.index_copy_(0, step.rows, log_probs);
  if (explanation != nullptr) explain(step, there, how, *explanation);
}

void KnnMixer::explain(const PendingMix& step, const std::vector<index::TopK>& found,
                       std::vector<Mixing>& how, Explanation& explanation) {
  const auto there = [](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.to(at::kCPU) : tensor;
  };
  const auto rows = step.rows.defined() ? to_vector(step.rows) : std::vector<std::int64_t>();
  for (std::size_t i = 0; i < found.size(); ++i) {
    const index::TopK neighbours = found[i].to(at::kCPU);
    how[i].lambda.each = there(how[i].lambda.each);
    how[i].temperature.each = there(how[i].temperature.each);
    how[i].k = there(how[i].k);
    how[i].shares = there(how[i].shares);
    how[i].log_weights = there(how[i].log_weights);
    for (std::int64_t query = 0; query < neighbours.queries(); ++query) {
      explanation[i][rows.empty() ? query : rows[query]] = {
          true, how[i].lambda.of(query), neighbour_shares(neighbours, query, how[i])};
    }
  }
}

void KnnMixer::interpolate(const at::Tensor& log_probs, const index::TopK& found,
                           const Mixing& how) {
  if (path_.value_or(gpu::compute_path_on(log_probs.device())) == gpu::ComputePath::cpu) {
    interpolate_cpu(log_probs, found, how);
    return;
  }
  // Whether all tokens are in the vocabulary is asked in check(): a GPU that is asked at every step
  // makes the host wait.
  vocabulary_ = log_probs.size(1);
  const at::Tensor greatest = interpolate_torch(log_probs, found, how);
  greatest_ = greatest_.defined() ? at::maximum(greatest_, greatest) : greatest;
}

void KnnMixer::check() {
  if (!greatest_.defined()) return;
  const auto greatest = std::exchange(greatest_, {}).item<std::int64_t>();
  if (greatest >= 0) require_in_vocabulary(greatest, vocabulary_);
}

std::vector<std::string> KnnMixer::summaries() const {
  std::vector<std::string> lines;
  for (const auto& search : searches_) lines.push_back(search->summary());
  return lines;
}

}  // namespace knnseq::retrieval
