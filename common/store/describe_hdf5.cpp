#include "store/describe_hdf5.hpp"

#include <fmt/format.h>

#include "store/hdf5_call.hpp"

namespace knnseq::store {

Hdf5Facts describe_hdf5() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  KNNSEQ_HDF5("the library", H5get_libversion, &major, &minor, &release);
  Hdf5Facts facts;
  facts.version = fmt::format("{}.{}.{}", major, minor, release);
#ifdef H5_HAVE_PARALLEL
  facts.parallel = true;
#endif
  return facts;
}

}  // namespace knnseq::store
