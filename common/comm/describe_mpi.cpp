#include "comm/describe_mpi.hpp"

#include <fmt/format.h>
#include <mpi.h>
#if __has_include(<mpi-ext.h>)
#include <mpi-ext.h>
#endif

#include "comm/mpi_check.hpp"

namespace knnseq::comm {

namespace {

std::string name_of_level(int level) {
  if (level == MPI_THREAD_SINGLE) return "single";
  if (level == MPI_THREAD_FUNNELED) return "funneled";
  return level == MPI_THREAD_SERIALIZED ? "serialized" : "multiple";
}

}  // namespace

MpiFacts describe_mpi() {
  MpiFacts facts;
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  KNNSEQ_MPI(MPI_COMM_NULL, MPI_Get_library_version, text, &length);
  // Cuts off build details: Open MPI adds them after a comma, MPICH on further lines.
  facts.library = std::string(text, length);
  facts.library = facts.library.substr(0, facts.library.find_first_of(",\n"));
  int major = 0;
  int minor = 0;
  KNNSEQ_MPI(MPI_COMM_NULL, MPI_Get_version, &major, &minor);
  facts.standard = fmt::format("{}.{}", major, minor);
  int level = 0;
  KNNSEQ_MPI(MPI_COMM_NULL, MPI_Query_thread, &level);
  facts.thread_level = name_of_level(level);
#ifdef MPIX_CUDA_AWARE_SUPPORT
  facts.says_cuda = true;
  facts.cuda_aware = MPIX_Query_cuda_support() == 1;
#endif
  return facts;
}

}  // namespace knnseq::comm
