// Which MPI this program runs with.
#pragma once

#include <string>

namespace knnseq::comm {

struct MpiFacts {
  std::string library = {};       ///< as it calls itself: "Open MPI v4.1.4"
  std::string standard = {};      ///< "3.1"
  std::string thread_level = {};  ///< provided: "funneled"
  bool says_cuda = false;         ///< whether it can tell that it takes device memory
  bool cuda_aware = false;        ///< and whether it does
};

/// To be called while MPI is initialised. Throws core::SystemError.
MpiFacts describe_mpi();

}  // namespace knnseq::comm
