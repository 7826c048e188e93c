// Codebooks of the datastore's keys.
#pragma once

#include <functional>

#include "index/core/index_spec.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// The input of a codebook that was trained on other corpora too: identities of their datastores.
inline constexpr const char* trained_together = "appended";

/// The keys as inputs of a step that makes a codebook. A codebook stays that of its datastore when
/// remove has taken entries out since, and that of all corpora whatever was appended since: it is
/// made anew only when the command says so. Collective.
core::Json trained_keys(runtime::StageContext& context, const DatastoreManifest& datastore,
                        const StageRef& step);

/// Trains a codebook on the sample of the first corpus's keys, as a stage of its own that makes
/// `step`. `spec_for` gives its type for keys of this width; what it throws is thrown on all
/// ranks. Collective; throws core::InputError and core::Stopped as train_in_folder() does.
void train_on_keys(runtime::StageContext& context, const Options& options, const StageRef& step,
                   const std::function<index::IndexSpec(std::int64_t width)>& spec_for);

}  // namespace knnseq::stages
