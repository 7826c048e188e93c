// The grid of likelihoods as a picture.
#pragma once

#include <string>

#include "stages/tune/report.hpp"

namespace knnseq::stages {

/// An SVG document: a map of T over λ for each k and search width, with a scale of colours for the
/// perplexity of the references. What is worse than the model alone is grey. Marks: the likeliest
/// of each map, those that were translated, and the best of these. A cell tells its perplexity when
/// pointed at.
std::string heat_map(const TuneResult& result);

}  // namespace knnseq::stages
