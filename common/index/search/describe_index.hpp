// With what this program searches and trains.
#pragma once

#include <string>

namespace knnseq::index {

struct IndexFacts {
  std::string faiss_version = {};
  std::string faiss_options = {};  ///< what faiss was compiled for, as it says: "AVX2", "GENERIC"
  bool faiss_gpu = false;          ///< whether it was built for GPUs
  std::string scan_kernel = {};    ///< of knnseq's own scans: avx512, avx2 or baseline
  std::string train_kernel = {};   ///< of training and adding, likewise
};

/// On this CPU.
IndexFacts describe_index();

}  // namespace knnseq::index
