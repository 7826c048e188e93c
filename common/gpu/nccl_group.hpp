// One NCCL communicator, watched: every wait checks for its errors and a deadline.
#pragma once

#include <functional>
#include <string>

#include <cuda_runtime_api.h>
#include <nccl.h>

#include "comm/communicator.hpp"
#include "gpu/device.hpp"
#include "obs/resources.hpp"

namespace knnseq::gpu {

/// A group of ranks, each with a GPU of its own. If an operation fails or outlives the deadline,
/// the group is aborted on this rank, so that no kernel waits for the others any more, and
/// core::SystemError is thrown with the operation, the rank and NCCL's text.
class NcclGroup {
 public:
  /// `comm` carries the group's name to all ranks, and agrees on whether all could start.
  /// A timeout of 0: no deadline. Collective.
  NcclGroup(comm::Communicator& comm, const Device& device, double timeout_seconds);
  /// Aborts a group that was not closed.
  ~NcclGroup();
  NcclGroup(const NcclGroup&) = delete;
  NcclGroup& operator=(const NcclGroup&) = delete;

  /// Puts an operation on the current stream of the device and returns when it is done there.
  /// `start` calls NCCL with this handle and stream.
  void launch(const char* operation,
              const std::function<ncclResult_t(ncclComm_t, cudaStream_t)>& start);
  /// Collective.
  void close();

 private:
  /// Waits for the operation whose call returned `started`: NCCL's calls return early.
  void complete(const char* operation, ncclResult_t started);
  /// NCCL's state of the operation; gives up if it has failed or the deadline has passed.
  ncclResult_t state(const char* operation, const obs::Stopwatch& watch);
  void require(const char* operation, cudaError_t code);
  [[noreturn]] void give_up(const char* operation, const std::string& reason);

  std::string who_;
  Device device_;
  double timeout_seconds_;
  ncclComm_t handle_ = nullptr;
};

}  // namespace knnseq::gpu
