// A codebook that was trained before.
#pragma once

#include "index/codebook.hpp"
#include "stages/stage.hpp"

namespace knnseq::stages {

/// Reads the codebook that a step has trained, its bytes compared with its manifest. Throws
/// core::InputError. Not collective.
index::Codebook read_trained_codebook(const FinishedStep& step);

}  // namespace knnseq::stages
