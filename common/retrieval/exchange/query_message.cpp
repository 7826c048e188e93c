#include "retrieval/exchange/query_message.hpp"

#include <cstring>
#include <numeric>

#include "core/error.hpp"

namespace knnseq::retrieval {

namespace {

struct Header {
  std::int64_t status;
  std::int64_t queries;
};

void append(std::vector<std::byte>& bytes, const void* data, std::size_t size) {
  const auto* from = static_cast<const std::byte*>(data);
  bytes.insert(bytes.end(), from, from + size);
}

/// Copies the next bytes of a message into a tensor's rows from `row` on.
void take_rows(std::span<const std::byte>& message, const at::Tensor& tensor, std::int64_t row,
               std::int64_t rows) {
  const at::Tensor target = tensor.narrow(0, row, rows);
  KNNSEQ_ASSERT(message.size() >= target.nbytes(), "message of queries is too short");
  if (target.nbytes() > 0) {
    std::memcpy(target.mutable_data_ptr(), message.data(), target.nbytes());
  }
  message = message.subspan(target.nbytes());
}

}  // namespace

std::vector<std::byte> pack_queries(std::int64_t status, const PreparedQueries& queries) {
  const Header header{status, queries.rotated.size(0)};
  const at::Tensor lists = queries.probes.lists.to(at::kInt);
  std::vector<std::byte> bytes;
  bytes.reserve(sizeof(header) + queries.rotated.nbytes() + queries.probes.distances.nbytes() +
                lists.nbytes());
  append(bytes, &header, sizeof(header));
  append(bytes, queries.rotated.const_data_ptr(), queries.rotated.nbytes());
  append(bytes, queries.probes.distances.const_data_ptr(), queries.probes.distances.nbytes());
  append(bytes, lists.const_data_ptr(), lists.nbytes());
  return bytes;
}

UnpackedQueries unpack_queries(const std::vector<std::span<const std::byte>>& messages,
                               std::int64_t width, std::int64_t nprobe) {
  UnpackedQueries result;
  for (const auto& message : messages) {
    Header header{};
    KNNSEQ_ASSERT(message.size() >= sizeof(header), "message of queries is too short");
    std::memcpy(&header, message.data(), sizeof(header));
    result.statuses.push_back(header.status);
    result.counts.push_back(header.queries);
  }
  const std::int64_t total =
      std::accumulate(result.counts.begin(), result.counts.end(), std::int64_t{0});
  const at::Tensor lists = at::empty({total, nprobe}, at::kInt);
  result.all.rotated = at::empty({total, width}, at::kFloat);
  result.all.probes.distances = at::empty({total, nprobe}, at::kFloat);
  std::int64_t row = 0;
  for (std::size_t rank = 0; rank < messages.size(); ++rank) {
    auto rest = messages[rank].subspan(sizeof(Header));
    take_rows(rest, result.all.rotated, row, result.counts[rank]);
    take_rows(rest, result.all.probes.distances, row, result.counts[rank]);
    take_rows(rest, lists, row, result.counts[rank]);
    KNNSEQ_ASSERT(rest.empty(), "message of queries is too long");
    row += result.counts[rank];
  }
  result.all.probes.lists = lists.to(at::kLong);
  return result;
}

}  // namespace knnseq::retrieval
