#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "gpu/cuda_check.hpp"
#include "gpu/nccl_group.hpp"
#include "obs/host_name.hpp"

namespace knnseq::gpu {

namespace {

/// Marks the end of what was put on a stream.
class Event {
 public:
  Event() {
    cuda_check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreate");
  }
  ~Event() { static_cast<void>(cudaEventDestroy(event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Between two polls: answers come within microseconds, or not for a long time.
void pause(const obs::Stopwatch& watch) {
  if (watch.seconds() < 2e-3) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

}  // namespace

NcclGroup::NcclGroup(comm::Communicator& comm, const Device& device, double timeout_seconds)
    : who_(fmt::format("rank {} of {} ({}, GPU {})", comm.rank(), comm.size(), obs::host_name(),
                       device.index)),
      device_(device),
      timeout_seconds_(timeout_seconds) {
  ncclUniqueId id = {};
  comm::agree(comm, [&] {
    require("start", cudaSetDevice(device_.index));
    if (!comm.is_root()) return;
    const auto result = ncclGetUniqueId(&id);
    if (result != ncclSuccess) give_up("start", ncclGetErrorString(result));
  });
  comm.broadcast(std::span(&id, 1));
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  comm::agree(comm, [&] {
    complete("start", ncclCommInitRankConfig(&handle_, comm.size(), id, comm.rank(), &config));
  });
}

NcclGroup::~NcclGroup() {
  if (handle_ != nullptr) ncclCommAbort(handle_);
}

void NcclGroup::launch(const char* operation,
                       const std::function<ncclResult_t(ncclComm_t, cudaStream_t)>& start) {
  KNNSEQ_ASSERT(handle_ != nullptr, "the group was closed or aborted");
  auto* const stream = static_cast<cudaStream_t>(current_stream(device_.index));
  complete(operation, start(handle_, stream));
  const obs::Stopwatch watch;
  const Event done;
  require(operation, cudaEventRecord(done.get(), stream));
  while (true) {
    const auto code = cudaEventQuery(done.get());
    if (code == cudaSuccess) return;
    if (code != cudaErrorNotReady) require(operation, code);
    state(operation, watch);
    pause(watch);
  }
}

void NcclGroup::close() {
  KNNSEQ_ASSERT(handle_ != nullptr, "the group was closed or aborted");
  complete("end", ncclCommFinalize(handle_));
  ncclCommDestroy(handle_);
  handle_ = nullptr;
}

void NcclGroup::complete(const char* operation, ncclResult_t started) {
  const obs::Stopwatch watch;
  if (started != ncclSuccess && started != ncclInProgress) {
    give_up(operation, ncclGetErrorString(started));
  }
  while (state(operation, watch) == ncclInProgress) pause(watch);
}

ncclResult_t NcclGroup::state(const char* operation, const obs::Stopwatch& watch) {
  ncclResult_t state = ncclSuccess;
  const auto result = ncclCommGetAsyncError(handle_, &state);
  if (result != ncclSuccess) give_up(operation, ncclGetErrorString(result));
  if (state != ncclSuccess && state != ncclInProgress) {
    give_up(operation,
            fmt::format("{} ({})", ncclGetErrorString(state), ncclGetLastError(handle_)));
  }
  if (timeout_seconds_ > 0 && watch.seconds() > timeout_seconds_) {
    give_up(operation,
            fmt::format("not done after {} s; another rank does not take part", timeout_seconds_));
  }
  return state;
}

void NcclGroup::require(const char* operation, cudaError_t code) {
  if (code != cudaSuccess) give_up(operation, cudaGetErrorString(code));
}

void NcclGroup::give_up(const char* operation, const std::string& reason) {
  if (handle_ != nullptr) ncclCommAbort(handle_);
  handle_ = nullptr;
  throw core::SystemError(fmt::format("NCCL {} on {}: {}", operation, who_, reason));
}

}  // namespace knnseq::gpu
