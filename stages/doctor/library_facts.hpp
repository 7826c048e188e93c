// What this program was built as, and which libraries it runs with.
#pragma once

#include <string>

#include "comm/describe_mpi.hpp"
#include "index/search/describe_index.hpp"
#include "store/describe_hdf5.hpp"

namespace knnseq::stages {

struct LibraryFacts {
  std::string version = {};     ///< of knnseq
  std::string build_type = {};  ///< CMake's: Release, Debug, …
  bool cuda = false;            ///< whether it can compute on GPUs
  std::string nccl = {};        ///< version at run time; empty: none
  comm::MpiFacts mpi = {};
  store::Hdf5Facts hdf5 = {};
  index::IndexFacts index = {};
  std::string libtorch = {};   ///< version
  std::string blas = {};       ///< that libtorch was built with, as "mkl"
  std::string blas_file = {};  ///< the library that serves matrix products of the whole program
  std::string allocator = {};  ///< with its version
};

/// Of this rank. Throws core::SystemError.
LibraryFacts library_facts();

}  // namespace knnseq::stages
