// Stage evaluate: scores of everything that was decoded and has a reference.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Scores each finished decoding against its reference, prints a table and writes it to
/// evaluate/scores.json, scores.csv and scores.md. Takes a moment, so it is never skipped.
/// Collective (rank 0 does the work).
void evaluate(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
