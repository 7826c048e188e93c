// What tune finds for the policies that decide λ, T and k for each token.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "stages/shared/search/resident.hpp"
#include "stages/tune/likelihoods.hpp"

namespace knnseq::stages {

/// A policy with the settings that were found for it.
struct TunedPolicy {
  retrieval::PolicyKind policy = retrieval::PolicyKind::fixed;
  double temperature = 0, lambda = 0;  ///< fixed: λ and T; distance: T
  double tau = 0;                      ///< distance
  std::filesystem::path network = {};  ///< learned
  int epochs = 0;                      ///< learned: of the training, until it was best
  double held_out_log_likelihood = 0;  ///< mean over the tokens of every fifth sentence

  /// Makes it what a decoding mixes by.
  void apply_to(retrieval::MixingOptions& mixing) const;
};

struct TunedPolicies {
  std::int64_t tokens = 0, held_out = 0;
  double model = 0;  ///< held-out log-likelihood of the model alone
  std::vector<TunedPolicy> policies;
};

/// Fits tune.policies to the validation text in one teacher-forced pass with the search of
/// `setting`, whose k, T and λ are where they start from: distance by a grid of τ and T, learned
/// policies by gradients on four fifths of the sentences until the rest gets no likelier. A stage
/// in `folder`, skipped if it is done; the networks are kept there. The same bytes for any number
/// of ranks. Collective.
TunedPolicies tune_policies(runtime::StageContext& context, const Options& options,
                            const TunedSetting& setting, const std::filesystem::path& folder,
                            Resident& resident);

core::Json to_json(const TunedPolicies& policies);

/// A gate that skips searches, and where to set it.
struct TunedGate {
  struct Setting {
    double share = 0;  ///< of the queries of tune.reference that are skipped
    double skip = 0;   ///< as in MixingOptions
  };
  std::filesystem::path file;
  std::vector<Setting> settings;  ///< one for each of tune.skip
};

/// Trains a gate on what this policy's neighbours are good for in the validation text, in another
/// such pass. A stage in `folder`, skipped if it is done. The same bytes for any number of
/// ranks. Collective.
TunedGate tune_gate(runtime::StageContext& context, const Options& options,
                    const retrieval::MixingOptions& mixing, const std::filesystem::path& folder,
                    Resident& resident);

}  // namespace knnseq::stages
