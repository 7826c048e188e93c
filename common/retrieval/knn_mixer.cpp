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
  mix(queries, sentences, log_probs, nullptr);
}

KnnMixer::Explanation KnnMixer::mix_and_explain(const at::Tensor& queries,
                                                std::span<const std::int64_t> sentences,
                                                const at::Tensor& log_probs) {
  Explanation explanation(searches_.size(), std::vector<Explained>(queries.size(0)));
  mix(queries, sentences, log_probs, &explanation);
  return explanation;
}

void KnnMixer::mix(const at::Tensor& queries, std::span<const std::int64_t> sentences,
                   const at::Tensor& log_probs, Explanation* explanation) {
  KNNSEQ_ASSERT(queries.size(0) == log_probs.size(0) && std::ssize(sentences) == queries.size(0),
                "a query and its sentence for each row of log-probs");
  queries_ += queries.size(0);
  // Without queries there is nothing to choose from, and other ranks may wait for this one.
  const at::Tensor rows =
      queries.size(0) > 0 ? policy_->choose({queries, log_probs}) : at::Tensor();
  if (!rows.defined()) {
    mix_all(queries, sentences, log_probs, explanation);
    return;
  }
  if (rows.numel() == 0 && !collective()) return;
  std::vector<std::int64_t> of_chosen;
  const auto chosen = to_vector(rows);
  for (const auto row : chosen) of_chosen.push_back(sentences[row]);
  const at::Tensor mixed = log_probs.index_select(0, rows);
  Explanation of_rows;
  if (explanation != nullptr) {
    of_rows.assign(searches_.size(), std::vector<Explained>(chosen.size()));
  }
  mix_all(queries.index_select(0, rows), of_chosen, mixed,
          explanation == nullptr ? nullptr : &of_rows);
  log_probs.index_copy_(0, rows, mixed);
  for (std::size_t datastore = 0; datastore < of_rows.size(); ++datastore) {
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      (*explanation)[datastore][chosen[i]] = std::move(of_rows[datastore][i]);
    }
  }
}

/// All queries are searched.
void KnnMixer::mix_all(const at::Tensor& queries, std::span<const std::int64_t> sentences,
                       const at::Tensor& log_probs, Explanation* explanation) {
  searched_ += queries.size(0);
  std::vector<index::TopK> found;
  for (const auto& of_datastore : find(queries, sentences)) {
    found.push_back(of_datastore.to(log_probs.device()));
  }
  std::vector<Mixing> how;
  how.reserve(found.size());
  for (const auto& of_datastore : found) {
    how.push_back(policy_->decide({queries, log_probs}, of_datastore));
    if (!weights_.empty()) how.back().log_weights = weights_[how.size() - 1].of(of_datastore);
  }
  share_among_datastores(how);
  for (std::size_t i = 0; i < found.size(); ++i) interpolate(log_probs, found[i], how[i]);
  if (explanation == nullptr) return;
  const auto there = [](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.to(at::kCPU) : tensor;
  };
  for (std::size_t i = 0; i < found.size(); ++i) {
    const index::TopK neighbours = found[i].to(at::kCPU);
    how[i].lambda.each = there(how[i].lambda.each);
    how[i].temperature.each = there(how[i].temperature.each);
    how[i].k = there(how[i].k);
    how[i].shares = there(how[i].shares);
    how[i].log_weights = there(how[i].log_weights);
    for (std::int64_t query = 0; query < neighbours.queries(); ++query) {
      (*explanation)[i][query] = {true, how[i].lambda.of(query),
                                  neighbour_shares(neighbours, query, how[i])};
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

std::vector<index::TopK> KnnMixer::find(const at::Tensor& queries,
                                        std::span<const std::int64_t> sentences) {
  std::vector<index::TopK> found;
  std::int64_t column = 0;
  for (const auto& search : searches_) {
    const at::Tensor own = queries.narrow(1, column, search->width()).contiguous();
    found.push_back(search->search(own, sentences));
    if (later_ && column == 0) {
      found.back() = nearest_of_both(found.back(), later_->search(own, sentences));
    }
    column += search->width();
  }
  return found;
}

void KnnMixer::serve() {
  for (const auto& search : searches_) search->search(at::empty({0, search->width()}), {});
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
