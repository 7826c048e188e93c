// The section evaluate: of the config.
#pragma once

#include <limits>
#include <vector>

#include "config/section.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

inline constexpr config::IntegerBounds seed_bounds{0, std::numeric_limits<std::int64_t>::max()};

/// decode: the items that are to be scored, of which `baseline` and `external` speak.
EvaluateOptions read_evaluate(const config::Section& section,
                              const std::vector<DecodeOptions>& decode);

}  // namespace knnseq::stages
