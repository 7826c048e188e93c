// A codebook that was trained before.
#pragma once

#include "index/faiss_io/codebook.hpp"
#include "stages/shared/inputs/stage.hpp"

namespace knnseq::stages {

/// Reads the codebook that a step has trained, its bytes compared with its manifest. Throws
/// core::InputError. Not collective.
index::Codebook read_trained_codebook(const StageRef& step);

}  // namespace knnseq::stages
