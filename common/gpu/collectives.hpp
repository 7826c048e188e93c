// Collectives over tensors that stay where they are computed on: a GPU's memory, or the host's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "comm/communicator.hpp"
#include "gpu/placement.hpp"

namespace knnseq::gpu {

/// Rows that all ranks sent to this one: rank r's are rows[starts[r] … starts[r + 1]).
struct ReceivedRows {
  at::Tensor rows;                   ///< [n, …], on the device of what was sent
  std::vector<std::int64_t> starts;  ///< [size + 1]
};

/// A group of ranks and their devices. Every function but rank(), size() and name() is collective,
/// is called by the main thread, and has finished when it returns. Tensors are contiguous and have
/// the same type on all ranks; a CUDA tensor lies on this rank's device. Throws core::SystemError
/// if a rank or its device fails, or does not answer before the deadline.
class Collectives {
 public:
  explicit Collectives(comm::Communicator& comm) : comm_(comm) {}
  virtual ~Collectives() = default;
  Collectives(const Collectives&) = delete;
  Collectives& operator=(const Collectives&) = delete;

  int rank() const { return comm_.rank(); }
  int size() const { return comm_.size(); }
  /// What carries the bytes, for logs: "NCCL" or "host memory".
  virtual std::string name() const = 0;

  /// Sums over the ranks in place; int64, double or float, same shape on all ranks. Sums of
  /// floating point round differently for different numbers of ranks; those of int64 do not.
  void all_reduce_sum(const at::Tensor& values);
  /// Gives all ranks the root's values, in place; any type, same shape on all ranks.
  void broadcast(const at::Tensor& values, int root = 0);
  /// Each rank's tensor, in rank order: [size, …]; any type, same shape on all ranks.
  at::Tensor all_gather(const at::Tensor& mine);
  /// `rows` [n, …] holds counts[0] rows for rank 0, then counts[1] for rank 1, …; any number of
  /// them, also 0; any type. Rows have the same shape on all ranks.
  ReceivedRows all_to_all(const at::Tensor& rows, std::span<const std::int64_t> counts);

  /// Ends the group in order; nothing may be called after it. Without it the destructor aborts the
  /// group without telling the other ranks.
  virtual void close() {}

 protected:
  comm::Communicator& comm() { return comm_; }

 private:
  virtual void sum_in_place(const at::Tensor& values) = 0;
  virtual void broadcast_in_place(const at::Tensor& values, int root) = 0;
  virtual void gather_into(const at::Tensor& all, const at::Tensor& mine) = 0;
  virtual ReceivedRows exchange_rows(const at::Tensor& rows,
                                     std::span<const std::int64_t> counts) = 0;

  comm::Communicator& comm_;
};

/// NCCL if each rank has a GPU of its own; through the host's memory on CPUs, if ranks share
/// a GPU (which NCCL refuses), and for one rank. `comm` must outlive it. A deadline of 0: none.
/// Collective. Throws core::SystemError.
std::unique_ptr<Collectives> make_collectives(comm::Communicator& comm, const Placement& placement,
                                              double timeout_seconds);

/// Through the host's memory, for tensors of any device; the deadline is the communicator's. `comm`
/// must outlive it.
std::unique_ptr<Collectives> make_host_collectives(comm::Communicator& comm);

/// By NCCL, from one GPU's memory to another's; each rank gives a GPU of its own. Operations are
/// polled, never waited on blindly: one that fails, or takes longer than the deadline (0: none),
/// ends the group on this rank and throws core::SystemError with the operation and the rank. `comm`
/// starts the group and must outlive it. Collective. Not in a build without CUDA.
std::unique_ptr<Collectives> make_nccl_collectives(comm::Communicator& comm, const Device& device,
                                                   double timeout_seconds);

/// The version of NCCL at run time, "2.28.9"; empty in a build without CUDA.
std::string nccl_version();

}  // namespace knnseq::gpu
