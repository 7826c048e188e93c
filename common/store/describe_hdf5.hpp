// Which HDF5 this program runs with.
#pragma once

#include <string>

namespace knnseq::store {

struct Hdf5Facts {
  std::string version = {};  ///< of the library, at run time
  bool parallel = false;     ///< whether it was built with the MPI-IO driver
};

/// Throws core::SystemError.
Hdf5Facts describe_hdf5();

}  // namespace knnseq::store
