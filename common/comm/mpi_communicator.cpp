#include "comm/mpi_communicator.hpp"

#include <algorithm>
#include <climits>
#include <numeric>

#include <fmt/format.h>

#include "comm/mpi_check.hpp"
#include "comm/mpi_handle.hpp"

namespace knnseq::comm {

namespace {

constexpr int progress_tag = 1;
constexpr int exchange_tag = 2;
/// MPI's counts are ints; longer transfers go in pieces of this many bytes (also a whole number of
/// every element type).
constexpr std::int64_t piece_bytes = std::int64_t{1} << 30;

MPI_Op operation(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum:
      return MPI_SUM;
    case Reduction::min:
      return MPI_MIN;
    case Reduction::max:
      return MPI_MAX;
  }
  return MPI_OP_NULL;
}

template <class T>
void all_reduce_pieces(MPI_Comm comm, std::span<T> values, MPI_Datatype type, MPI_Op op) {
  constexpr std::size_t most = piece_bytes / sizeof(T);
  for (std::size_t at = 0; at < values.size(); at += most) {
    const auto piece = values.subspan(at, std::min(most, values.size() - at));
    KNNSEQ_MPI(comm, MPI_Allreduce, MPI_IN_PLACE, piece.data(), static_cast<int>(piece.size()),
               type, op, comm);
  }
}

std::vector<std::int64_t> starts_of(std::span<const std::int64_t> counts) {
  std::vector<std::int64_t> starts(counts.size() + 1, 0);
  std::partial_sum(counts.begin(), counts.end(), starts.begin() + 1);
  return starts;
}

/// All-to-all of bytes in rounds, in which each pair of ranks moves at most piece_bytes / ranks.
void all_to_all_rounds(MPI_Comm comm, const std::byte* mine, std::span<const std::int64_t> sends,
                       std::byte* theirs, std::span<const std::int64_t> receives) {
  const auto ranks = sends.size();
  const std::int64_t share = piece_bytes / static_cast<std::int64_t>(ranks);
  const std::int64_t longest = std::max(*std::max_element(sends.begin(), sends.end()),
                                        *std::max_element(receives.begin(), receives.end()));
  std::int64_t rounds = core::ceil_div(longest, share);
  KNNSEQ_MPI(comm, MPI_Allreduce, MPI_IN_PLACE, &rounds, 1, MPI_INT64_T, MPI_MAX, comm);
  const auto send_starts = starts_of(sends);
  const auto receive_starts = starts_of(receives);
  std::vector<int> send_counts(ranks), send_at(ranks), receive_counts(ranks), receive_at(ranks);
  std::vector<std::byte> outgoing, incoming;
  const auto piece = [&](std::int64_t count, std::int64_t round) {
    return static_cast<int>(std::clamp(count - round * share, std::int64_t{0}, share));
  };
  for (std::int64_t round = 0; round < rounds; ++round) {
    outgoing.clear();
    int incoming_bytes = 0;
    for (std::size_t r = 0; r < ranks; ++r) {
      send_counts[r] = piece(sends[r], round);
      send_at[r] = static_cast<int>(outgoing.size());
      const std::byte* from = mine + send_starts[r] + round * share;
      if (send_counts[r] > 0) outgoing.insert(outgoing.end(), from, from + send_counts[r]);
      receive_counts[r] = piece(receives[r], round);
      receive_at[r] = incoming_bytes;
      incoming_bytes += receive_counts[r];
    }
    incoming.resize(incoming_bytes);
    KNNSEQ_MPI(comm, MPI_Alltoallv, outgoing.data(), send_counts.data(), send_at.data(), MPI_BYTE,
               incoming.data(), receive_counts.data(), receive_at.data(), MPI_BYTE, comm);
    for (std::size_t r = 0; r < ranks; ++r) {
      std::copy_n(incoming.data() + receive_at[r], receive_counts[r],
                  theirs + receive_starts[r] + round * share);
    }
  }
}

}  // namespace

void check_mpi(int code, const char* call, MPI_Comm communicator) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  MPI_Error_string(code, text, &length);
  char name[MPI_MAX_OBJECT_NAME] = "";
  int rank = -1;
  if (communicator != MPI_COMM_NULL) {
    MPI_Comm_get_name(communicator, name, &length);
    MPI_Comm_rank(communicator, &rank);
  }
  throw core::SystemError(fmt::format("{} on {} rank {}: {}", call, name, rank, text));
}

MPI_Comm mpi_handle(const Communicator& communicator) {
  const auto* mpi = dynamic_cast<const MpiCommunicator*>(&communicator);
  return mpi != nullptr ? mpi->handle() : MPI_COMM_NULL;
}

std::shared_ptr<Watchdog> watchdog_of(const Communicator& communicator) {
  const auto* mpi = dynamic_cast<const MpiCommunicator*>(&communicator);
  return mpi != nullptr ? mpi->watchdog() : nullptr;
}

MpiCommunicator::MpiCommunicator(MPI_Comm handle, std::shared_ptr<Watchdog> watchdog)
    : handle_(handle), watchdog_(std::move(watchdog)), exchanges_(handle, exchange_tag) {
  KNNSEQ_MPI(handle_, MPI_Comm_set_errhandler, handle_, MPI_ERRORS_RETURN);
  KNNSEQ_MPI(handle_, MPI_Comm_rank, handle_, &rank_);
  KNNSEQ_MPI(handle_, MPI_Comm_size, handle_, &size_);
}

void MpiCommunicator::barrier() {
  const Watchdog::Guard guard(*watchdog_, "a barrier");
  KNNSEQ_MPI(handle_, MPI_Barrier, handle_);
}

void MpiCommunicator::broadcast_bytes(std::span<std::byte> bytes, int root) {
  const Watchdog::Guard guard(*watchdog_, "a broadcast");
  for (std::size_t at = 0; at < bytes.size(); at += piece_bytes) {
    const auto piece = bytes.subspan(at, std::min<std::size_t>(piece_bytes, bytes.size() - at));
    KNNSEQ_MPI(handle_, MPI_Bcast, piece.data(), static_cast<int>(piece.size()), MPI_BYTE, root,
               handle_);
  }
}

void MpiCommunicator::all_reduce(std::span<std::int64_t> values, Reduction reduction) {
  const Watchdog::Guard guard(*watchdog_, "an all-reduce");
  all_reduce_pieces(handle_, values, MPI_INT64_T, operation(reduction));
}

void MpiCommunicator::all_reduce(std::span<double> values, Reduction reduction) {
  const Watchdog::Guard guard(*watchdog_, "an all-reduce");
  all_reduce_pieces(handle_, values, MPI_DOUBLE, operation(reduction));
}

Gathered<std::byte> MpiCommunicator::all_gather_bytes(std::span<const std::byte> mine) {
  const Watchdog::Guard guard(*watchdog_, "an all-gather");
  const auto count = static_cast<std::int64_t>(mine.size());
  std::vector<std::int64_t> counts(size_);
  KNNSEQ_MPI(handle_, MPI_Allgather, &count, 1, MPI_INT64_T, counts.data(), 1, MPI_INT64_T,
             handle_);
  Gathered<std::byte> result;
  result.starts = starts_of(counts);
  result.values.resize(result.starts.back());
  if (result.starts.back() <= INT_MAX) {
    const std::vector<int> short_counts(counts.begin(), counts.end());
    const std::vector<int> at(result.starts.begin(), result.starts.end() - 1);
    KNNSEQ_MPI(handle_, MPI_Allgatherv, mine.data(), static_cast<int>(count), MPI_BYTE,
               result.values.data(), short_counts.data(), at.data(), MPI_BYTE, handle_);
  } else {
    for (int root = 0; root < size_; ++root) {
      const auto part = std::span(result.values).subspan(result.starts[root], counts[root]);
      if (root == rank_) std::copy(mine.begin(), mine.end(), part.begin());
      broadcast_bytes(part, root);
    }
  }
  return result;
}

Gathered<std::byte> MpiCommunicator::all_to_all_bytes(std::span<const std::byte> mine,
                                                      std::span<const std::int64_t> counts) {
  const Watchdog::Guard guard(*watchdog_, "an all-to-all");
  KNNSEQ_ASSERT(std::ssize(counts) == size_, "one count a rank");
  std::vector<std::int64_t> receives(counts.size());
  KNNSEQ_MPI(handle_, MPI_Alltoall, counts.data(), 1, MPI_INT64_T, receives.data(), 1, MPI_INT64_T,
             handle_);
  Gathered<std::byte> result;
  result.starts = starts_of(receives);
  result.values.resize(result.starts.back());
  all_to_all_rounds(handle_, mine.data(), counts, result.values.data(), receives);
  return result;
}

std::unique_ptr<Communicator> MpiCommunicator::split(int color) {
  const Watchdog::Guard guard(*watchdog_, "a communicator split");
  MPI_Comm part = MPI_COMM_NULL;
  KNNSEQ_MPI(handle_, MPI_Comm_split, handle_, color, rank_, &part);
  return std::make_unique<MpiCommunicator>(part, watchdog_);
}

std::unique_ptr<Communicator> MpiCommunicator::split_by_node() {
  const Watchdog::Guard guard(*watchdog_, "a communicator split");
  MPI_Comm part = MPI_COMM_NULL;
  KNNSEQ_MPI(handle_, MPI_Comm_split_type, handle_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL,
             &part);
  return std::make_unique<MpiCommunicator>(part, watchdog_);
}

void MpiCommunicator::post(int destination, std::span<const std::int64_t> message) {
  // Small enough for MPI's eager protocol, so it does not wait for the receiver; but the first
  // message to a rank waits for a connection.
  const Watchdog::Guard guard(*watchdog_, "a message");
  KNNSEQ_MPI(handle_, MPI_Send, message.data(), static_cast<int>(message.size()), MPI_INT64_T,
             destination, progress_tag, handle_);
}

std::optional<std::vector<std::int64_t>> MpiCommunicator::poll() {
  int there = 0;
  MPI_Status status;
  KNNSEQ_MPI(handle_, MPI_Iprobe, MPI_ANY_SOURCE, progress_tag, handle_, &there, &status);
  if (there == 0) return std::nullopt;
  int count = 0;
  KNNSEQ_MPI(handle_, MPI_Get_count, &status, MPI_INT64_T, &count);
  std::vector<std::int64_t> message(count);
  KNNSEQ_MPI(handle_, MPI_Recv, message.data(), count, MPI_INT64_T, status.MPI_SOURCE, progress_tag,
             handle_, MPI_STATUS_IGNORE);
  return message;
}

void MpiCommunicator::start_all_gather(std::vector<std::byte> mine) {
  const Watchdog::Guard guard(*watchdog_, "the start of an exchange");
  exchanges_.start_all_gather(std::move(mine));
}

void MpiCommunicator::start_all_to_all(std::vector<std::vector<std::byte>> parts) {
  const Watchdog::Guard guard(*watchdog_, "the start of an exchange");
  exchanges_.start_all_to_all(std::move(parts));
}

std::vector<std::vector<std::byte>> MpiCommunicator::collect() {
  const Watchdog::Guard guard(*watchdog_, "an exchange");
  return exchanges_.collect();
}

}  // namespace knnseq::comm
