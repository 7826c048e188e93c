#include "comm/mpi_exchanges.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "comm/mpi_check.hpp"
#include "core/error.hpp"

namespace knnseq::comm {

namespace {

/// Every transport sends this much without waiting for the receiver (Open MPI's shared memory:
/// 4 KiB with its own header).
constexpr std::size_t small_piece = 3840;
/// Of longer parts, which would be too many small ones. MPI's counts are ints.
constexpr std::size_t large_piece = std::size_t{64} << 20;
constexpr std::size_t most_in_small_pieces = std::size_t{4} << 20;

}  // namespace

MpiExchanges::MpiExchanges(MPI_Comm handle, int tag) : handle_(handle), tag_(tag) {
  KNNSEQ_MPI(handle_, MPI_Comm_rank, handle_, &rank_);
  KNNSEQ_MPI(handle_, MPI_Comm_size, handle_, &size_);
  arriving_.resize(size_);
}

MpiExchanges::~MpiExchanges() {
  // Only after an error, which is about to end the job. MPI may still read and write these.
  if (sent_.empty()) return;
  [[maybe_unused]] auto* kept = new std::deque<Sent>(std::move(sent_));
  [[maybe_unused]] auto* also = new std::vector<std::deque<Arriving>>(std::move(arriving_));
}

void MpiExchanges::start_all_gather(Bytes mine) {
  std::vector<Bytes> parts = {mine};
  start(std::move(parts), std::move(mine));
}

void MpiExchanges::start_all_to_all(std::vector<Bytes> parts) {
  KNNSEQ_ASSERT(std::ssize(parts) == size_, "one part a rank");
  Bytes own = std::exchange(parts[rank_], {});
  start(std::move(parts), std::move(own));
}

void MpiExchanges::start(std::vector<Bytes> parts, Bytes own) {
  own_.push_back(std::move(own));
  if (size_ == 1) return;
  take_arrivals();
  forget_received(/*wait=*/false);
  Sent& sent = sent_.emplace_back(Sent{std::move(parts), {}});
  for (const Bytes& part : sent.parts) sent.lengths.push_back(part.size());
  for (int i = 1; i < size_; ++i) {  // each rank begins with another
    const int to = (rank_ + i) % size_;
    const auto which = sent.parts.size() == 1 ? 0 : static_cast<std::size_t>(to);
    const auto length = std::as_bytes(std::span(sent.lengths).subspan(which, 1));
    send(length.data(), length.size(), to, sent.requests);
    send(sent.parts[which].data(), sent.parts[which].size(), to, sent.requests);
  }
}

void MpiExchanges::send(const std::byte* data, std::size_t size, int to,
                        std::vector<MPI_Request>& requests) {
  const std::size_t piece = size <= most_in_small_pieces ? small_piece : large_piece;
  for (std::size_t at = 0; at < size; at += piece) {
    KNNSEQ_MPI(handle_, MPI_Isend, data + at, static_cast<int>(std::min(piece, size - at)),
               MPI_BYTE, to, tag_, handle_, &requests.emplace_back());
  }
}

std::vector<MpiExchanges::Bytes> MpiExchanges::collect() {
  KNNSEQ_ASSERT(!own_.empty(), "no exchange is under way");
  std::vector<Bytes> messages(size_);
  for (int i = 1; i < size_; ++i) {
    const int from = (rank_ + i) % size_;
    messages[from] = receive(from);
  }
  messages[rank_] = std::move(own_.front());
  own_.pop_front();
  // Whoever has not received all of it yet waits for nothing more from this rank.
  if (own_.empty()) forget_received(/*wait=*/true);
  return messages;
}

MpiExchanges::Bytes MpiExchanges::receive(int from) {
  while (!has_arrived(from)) take_arrivals();
  Bytes part = std::move(arriving_[from].front().bytes);
  arriving_[from].pop_front();
  return part;
}

bool MpiExchanges::has_arrived(int from) {
  if (arriving_[from].empty() || !arriving_[from].front().begun_all()) return false;
  auto& requests = arriving_[from].front().requests;
  int done = 0;
  KNNSEQ_MPI(handle_, MPI_Testall, static_cast<int>(requests.size()), requests.data(), &done,
             MPI_STATUSES_IGNORE);
  return done != 0;
}

/// Begins to receive whatever is there: that of a later exchange too, so that it has arrived when
/// its turn comes.
void MpiExchanges::take_arrivals() {
  while (true) {
    int there = 0, size = 0;
    MPI_Message message = MPI_MESSAGE_NULL;
    MPI_Status status;
    KNNSEQ_MPI(handle_, MPI_Improbe, MPI_ANY_SOURCE, tag_, handle_, &there, &message, &status);
    if (there == 0) return;
    KNNSEQ_MPI(handle_, MPI_Get_count, &status, MPI_BYTE, &size);
    auto& parts = arriving_[status.MPI_SOURCE];
    if (parts.empty() || parts.back().begun_all()) {
      std::uint64_t length = 0;
      KNNSEQ_ASSERT(size == sizeof(length), "the length of a part comes first");
      KNNSEQ_MPI(handle_, MPI_Mrecv, &length, size, MPI_BYTE, &message, MPI_STATUS_IGNORE);
      parts.push_back({Bytes(length)});
      continue;
    }
    Arriving& part = parts.back();
    KNNSEQ_ASSERT(static_cast<std::size_t>(size) <= part.bytes.size() - part.begun,
                  "a part is longer than its length");
    KNNSEQ_MPI(handle_, MPI_Imrecv, part.bytes.data() + part.begun, size, MPI_BYTE, &message,
               &part.requests.emplace_back());
    part.begun += static_cast<std::size_t>(size);
  }
}

/// Frees what the others have received, or waits until they have received all.
void MpiExchanges::forget_received(bool wait) {
  while (!sent_.empty()) {
    auto& requests = sent_.front().requests;
    int done = 1;
    if (wait) {
      KNNSEQ_MPI(handle_, MPI_Waitall, static_cast<int>(requests.size()), requests.data(),
                 MPI_STATUSES_IGNORE);
    } else {
      KNNSEQ_MPI(handle_, MPI_Testall, static_cast<int>(requests.size()), requests.data(), &done,
                 MPI_STATUSES_IGNORE);
    }
    if (done == 0) return;
    sent_.pop_front();
  }
}

}  // namespace knnseq::comm
