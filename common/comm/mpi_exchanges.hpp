// Exchanges of messages that are under way while this rank does other work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <mpi.h>

namespace knnseq::comm {

/// Those of one communicator, under one tag: between two ranks messages keep their order, so the
/// n-th part from a rank belongs to the n-th exchange.
///
/// A part goes as its length and then pieces, which are small: those leave this rank and reach the
/// other one at once, whereas a large message moves only while both ranks are in calls of MPI,
/// unless the network reads memory by itself.
class MpiExchanges {
 public:
  using Bytes = std::vector<std::byte>;

  MpiExchanges(MPI_Comm handle, int tag);
  ~MpiExchanges();
  MpiExchanges(const MpiExchanges&) = delete;
  MpiExchanges& operator=(const MpiExchanges&) = delete;

  // As in Communicator.
  void start_all_gather(Bytes mine);
  void start_all_to_all(std::vector<Bytes> parts);
  std::vector<Bytes> collect();

 private:
  struct Sent {
    std::vector<Bytes> parts;            ///< one for all ranks, or one for each
    std::vector<std::uint64_t> lengths;  ///< of the parts
    std::vector<MPI_Request> requests = {};
  };
  /// A part whose length is known and that MPI is writing.
  struct Arriving {
    Bytes bytes;
    std::size_t begun = 0;  ///< bytes of the pieces that were there so far
    std::vector<MPI_Request> requests = {};

    bool begun_all() const { return begun == bytes.size(); }
  };

  void start(std::vector<Bytes> parts, Bytes own);
  void send(const std::byte* data, std::size_t size, int to, std::vector<MPI_Request>& requests);
  void take_arrivals();
  Bytes receive(int from);
  bool has_arrived(int from);
  void forget_received(bool wait);

  MPI_Comm handle_;
  int tag_;
  int rank_ = 0;
  int size_ = 1;
  std::deque<Bytes> own_;  ///< for this rank itself: one for each exchange that is under way
  std::deque<Sent> sent_;
  std::vector<std::deque<Arriving>> arriving_;  ///< [ranks]
};

}  // namespace knnseq::comm
