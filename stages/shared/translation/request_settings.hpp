// The settings of kNN that one request may change.
#pragma once

#include "core/files.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// `decoding` with what a request says of kNN: null: nothing; false: the model alone; true: with
/// kNN; or an object of mode, k, nprobe, policy, temperature, lambda, tau and threshold, as in the
/// config. metric: of the index. Throws core::InputError naming the field if one is unknown, of
/// another type, out of range, without effect under the policy, or missing.
DecodeOptions with_settings(DecodeOptions decoding, const core::Json& knn,
                            const std::string& metric);

}  // namespace knnseq::stages
