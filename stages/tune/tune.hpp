// Stage tune: kNN settings for a validation set, without decoding it with all of them.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Measures how likely the references are under every combination of tune's k, temperature, lambda
/// and nprobe (with subsets: sentences) in one teacher-forced pass; translates the sources with the
/// likeliest of each k and with the model alone; fits the other policies to the best one's
/// neighbours and translates with them; the highest BLEU wins, ties go to the smaller λ. Then tries
/// the winner with less search: smaller nprobe, and gates. Prints tables and writes tune/
/// (tune-subset/): tuned.yaml (to be included by a config), tune.csv, tune.json and tune.svg. Needs
/// add. What is done is kept, and a later run continues after it. Throws core::InputError on all
/// ranks. Collective.
void tune(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
