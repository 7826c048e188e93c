// What this program searches and trains with.
#pragma once

#include <string>

namespace knnseq::index {

struct IndexFacts {
  std::string faiss_version = {};
  std::string faiss_options = {};    ///< what faiss was compiled for, as it says: "AVX2", "GENERIC"
  bool faiss_gpu = false;            ///< whether it was built for GPUs
  std::string instruction_set = {};  ///< of knnseq's own kernels (core::InstructionSet)
};

/// On this CPU.
IndexFacts describe_index();

}  // namespace knnseq::index
