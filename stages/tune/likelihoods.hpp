// The likelihood of the validation set for every combination of settings.
#pragma once

#include <string>
#include <vector>

#include "core/files.hpp"
#include "retrieval/mixing/entry_weights.hpp"
#include "stages/tune/forced_tokens.hpp"

namespace knnseq::stages {

/// One combination.
struct TunedSetting {
  std::int64_t k = 0;
  float temperature = 0;
  float lambda = 0;
  std::int64_t search_width = 0;  ///< nprobe, or sentences of a subset
  double log_likelihood = 0;      ///< mean over the tokens, natural logarithm

  /// "k16-T20-lambda0.5-nprobe32", also a folder's name.
  std::string name(const std::string& breadth_name) const;
};

struct Likelihoods {
  std::string breadth_name;  ///< "nprobe", or "sentences" with subsets
  std::vector<std::int64_t> k, search_width;
  std::vector<float> temperature, lambda;
  std::int64_t tokens = 0;
  double base = 0;                          ///< the model alone
  std::vector<TunedSetting> settings = {};  ///< in the order search width, k, temperature, lambda

  const TunedSetting& at(std::size_t breadth_at, std::size_t k_at, std::size_t temperature_at,
                         std::size_t lambda_at) const;
  /// `count` settings worth translating with: the likeliest of each k, likeliest first, then the
  /// second of each k, and so on; ties go to the smaller λ. More neighbours make the references
  /// likelier, but not translations better, so k is not left to the likelihood.
  std::vector<TunedSetting> best(std::size_t count) const;
};

/// The shortest number that is this float, so that 0.7 stands in a file as 0.7.
double plain_number(float value);

core::Json to_json(const Likelihoods& likelihoods);
/// Throws core::InputError naming the file if it is not what to_json() gives.
Likelihoods likelihoods_from(const std::string& file, const core::Json& json);

/// From all ranks' tokens and their neighbours for each search width; the same on every rank, for
/// any number of ranks. Temperatures that the config does not name are eight powers of two times
/// the neighbours' spread: the mean difference in distance of a query's last and first neighbour,
/// divided by 16 … times 8, two digits kept. Collective.
Likelihoods measure_likelihoods(comm::Communicator& comm, const TuneOptions& options,
                                const ForcedTokens& forced,
                                const std::vector<index::TopK>& neighbours,
                                const retrieval::EntryWeights& weights);

}  // namespace knnseq::stages
