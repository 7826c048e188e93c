// Translations of the demo model's test sentences with a small datastore of its own keys, on any
// device.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "comm/self_communicator.hpp"
#include "core/files.hpp"
#include "gpu/collectives.hpp"
#include "model/load_model.hpp"
#include "retrieval/distributed_search.hpp"
#include "retrieval/knn_mixer.hpp"
#include "search/beam_search.hpp"
#include "unit/index/synthetic.hpp"

namespace knnseq::test {

/// How translations are made.
struct Decoding {
  model::ModelOptions model = {};
  gpu::ComputePath path = gpu::ComputePath::cpu;  ///< of exchange, mixing and beam search
  std::shared_ptr<const gpu::ScanLauncher> launcher = nullptr;
};

/// Every token of the five best translations that are on record, with the model's keys.
struct DemoEntries {
  std::vector<std::vector<core::TokenId>> questions;         ///< to be translated
  std::vector<std::vector<core::TokenId>> sources, targets;  ///< [translations]
  at::Tensor keys;                                           ///< [tokens of the targets, d]

  DemoEntries() {
    const core::fs::path root = KNNSEQ_SOURCE_DIR;
    for (const auto& one : core::read_json(root / "tests/unit/search/beam_reference.json")) {
      questions.push_back(one.at("source"));
      for (const auto& hypothesis : one.at("nbest")) {
        sources.push_back(questions.back());
        targets.push_back(hypothesis.at("tokens"));
      }
    }
    keys = load({.dtype = "fp32"})->teacher_force(sources, targets, {}).keys;
  }

  static std::unique_ptr<model::TranslationModel> load(const model::ModelOptions& options) {
    return model::load_model(core::fs::path(KNNSEQ_SOURCE_DIR) / "models/demo-de-en", options);
  }
};

/// Mixes what one search finds.
inline retrieval::KnnMixer make_mixer(const Decoding& how,
                                      std::unique_ptr<retrieval::KnnSearch> search) {
  std::vector<std::unique_ptr<retrieval::KnnSearch>> searches;
  searches.push_back(std::move(search));
  retrieval::MixingOptions options;
  options.temperature = 10;
  return {std::move(searches), retrieval::make_mixing_policy(options), how.path};
}

inline search::KnnStep step_of(retrieval::KnnMixer& mixer) {
  return [&mixer](const search::KnnQueries& asked, at::Tensor& log_probs) {
    mixer.mix(asked.vectors, asked.sentences, log_probs);
    mixer.check();
  };
}

inline std::vector<search::Hypothesis> best_of(
    const std::vector<std::vector<search::Hypothesis>>& made) {
  std::vector<search::Hypothesis> best;
  for (const auto& nbest : made) best.push_back(nbest.front());
  return best;
}

class KnnDecoding {
 public:
  KnnDecoding() {
    codebook_ = train_alone(demo_.keys, index::parse_index_spec("IVF8,PQ16", demo_.keys.size(1)),
                            quick_options());
    entries_ = coded_entries(codebook_, demo_.keys);
    auto* id = entries_.ids.mutable_data_ptr<std::int64_t>();
    std::int64_t entry = 0;
    for (const auto& target : demo_.targets) {
      for (const auto token : target) *id++ = core::pack_entry_id(token, entry++);
    }
  }

  /// The best translations.
  std::vector<search::Hypothesis> translate(const Decoding& how) const {
    const auto self = comm::make_self_communicator();
    retrieval::SearchDevice device;
    if (how.path == gpu::ComputePath::torch) {
      device = {how.model.device, gpu::make_host_collectives(*self)};
    }
    index::LocalIndexOptions local;
    local.launcher = how.launcher;
    auto mixer =
        make_mixer(how, std::make_unique<retrieval::DistributedSearch>(
                            *self, codebook_, index::make_local_index(codebook_, entries_, local),
                            retrieval::SearchOptions{.k = 8, .nprobe = 4}, std::move(device)));
    const auto model = DemoEntries::load(how.model);
    return best_of(
        search::beam_search(*model, demo_.questions, {.path = how.path}, step_of(mixer)));
  }

 private:
  DemoEntries demo_;
  index::Codebook codebook_;
  index::CodedEntries entries_;
};

/// How many are the same tokens.
inline std::size_t same_tokens(const std::vector<search::Hypothesis>& a,
                               const std::vector<search::Hypothesis>& b) {
  std::size_t same = 0;
  for (std::size_t i = 0; i < a.size(); ++i) same += a[i].tokens == b.at(i).tokens ? 1 : 0;
  return same;
}

}  // namespace knnseq::test
