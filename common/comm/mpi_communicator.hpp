// The Communicator over MPI, for host memory.
#pragma once

#include <memory>

#include <mpi.h>

#include "comm/communicator.hpp"
#include "comm/mpi_exchanges.hpp"
#include "comm/watchdog.hpp"

namespace knnseq::comm {

class MpiCommunicator final : public Communicator {
 public:
  using Communicator::all_reduce;
  /// Takes over `handle`, which lives to the end of MPI: freeing it is collective, and destructors
  /// do not communicate.
  MpiCommunicator(MPI_Comm handle, std::shared_ptr<Watchdog> watchdog);
  ~MpiCommunicator() override = default;

  MPI_Comm handle() const { return handle_; }
  std::shared_ptr<Watchdog> watchdog() const { return watchdog_; }
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void barrier() override;
  void broadcast_bytes(std::span<std::byte> bytes, int root) override;
  void all_reduce(std::span<std::int64_t> values, Reduction reduction) override;
  void all_reduce(std::span<double> values, Reduction reduction) override;
  Gathered<std::byte> all_gather_bytes(std::span<const std::byte> mine) override;
  Gathered<std::byte> all_to_all_bytes(std::span<const std::byte> mine,
                                       std::span<const std::int64_t> counts) override;
  std::unique_ptr<Communicator> split(int color) override;
  std::unique_ptr<Communicator> split_by_node() override;
  void post(int destination, std::span<const std::int64_t> message) override;
  std::optional<std::vector<std::int64_t>> poll() override;
  void start_all_gather(std::vector<std::byte> mine) override;
  void start_all_to_all(std::vector<std::vector<std::byte>> parts) override;
  std::vector<std::vector<std::byte>> collect() override;

 private:
  MPI_Comm handle_;
  std::shared_ptr<Watchdog> watchdog_;
  int rank_ = 0;
  int size_ = 1;
  MpiExchanges exchanges_;
};

}  // namespace knnseq::comm
