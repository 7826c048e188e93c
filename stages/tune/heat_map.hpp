// The grid of likelihoods as a picture.
#pragma once

#include <string>

#include "stages/tune/likelihoods.hpp"

namespace knnseq::stages {

/// An SVG document: a map of T over λ for each k and search width; darker is likelier, the
/// likeliest of each map is framed, and a cell tells its perplexity when pointed at.
std::string heat_map(const Likelihoods& likelihoods);

}  // namespace knnseq::stages
