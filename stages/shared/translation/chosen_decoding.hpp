// Whose settings a translator that stays takes.
#pragma once

#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// The item of `decode:` that is named, or what `knn:` and `beam_search:` say if none is. Throws
/// core::InputError, which `command` is for, if there is no such item or more than one is named.
DecodeOptions choose_decoding(const Options& options, const std::vector<std::string>& names,
                              const std::string& command);

/// Says which settings these are, in the log.
void log_settings(runtime::StageContext& context, const Options& options,
                  const DecodeOptions& decoding, const std::vector<std::string>& names);

}  // namespace knnseq::stages
