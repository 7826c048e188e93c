#include "index/sample/sample_assembly.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace knnseq::index {

SampleAssembly::SampleAssembly(comm::Communicator& comm, std::int64_t total_rows, std::int64_t dim,
                               at::ScalarType type, std::int64_t block_rows)
    : comm_(comm),
      row_bytes_(dim * static_cast<std::int64_t>(c10::elementSize(type))),
      missing_(0) {
  sample_.total_rows = total_rows;
  sample_.dim = dim;
  sample_.block_rows = block_rows;
  for (std::int64_t b = comm.rank(); b < sample_.total_blocks(); b += comm.size()) {
    const std::int64_t rows = std::min(block_rows, total_rows - b * block_rows);
    sample_.blocks.push_back(at::empty({rows, dim}, type));
    sample_.block_numbers.push_back(b);
    missing_ += rows;
  }
}

void SampleAssembly::add(std::span<const std::int64_t> places, std::span<const std::byte> rows) {
  KNNSEQ_ASSERT(std::cmp_equal(rows.size(), std::ssize(places) * row_bytes_), "shapes differ");
  const auto owner_of = [&](std::size_t i) {
    return static_cast<std::size_t>(places[i] / sample_.block_rows % comm_.size());
  };
  std::vector<std::size_t> order(places.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return owner_of(a) < owner_of(b); });
  std::vector<std::int64_t> counts(comm_.size(), 0);
  std::vector<std::int64_t> sent_places;
  std::vector<std::byte> sent_rows(rows.size());
  const auto bytes = static_cast<std::size_t>(row_bytes_);
  for (std::size_t i = 0; i < order.size(); ++i) {
    ++counts[owner_of(order[i])];
    sent_places.push_back(places[order[i]]);
    std::memcpy(sent_rows.data() + i * bytes, rows.data() + order[i] * bytes, bytes);
  }
  const auto got_places =
      comm_.all_to_all(std::span<const std::int64_t>(sent_places), counts).values;
  for (auto& count : counts) count *= row_bytes_;
  const auto got_rows = comm_.all_to_all_bytes(sent_rows, counts).values;
  for (std::size_t i = 0; i < got_places.size(); ++i) {
    std::memcpy(row_at(got_places[i]), got_rows.data() + i * bytes, bytes);
  }
  missing_ -= std::ssize(got_places);
}

SampleBlocks SampleAssembly::finish() {
  KNNSEQ_ASSERT(missing_ == 0, "rows of the sample did not come");
  return std::move(sample_);
}

std::byte* SampleAssembly::row_at(std::int64_t place) {
  const std::int64_t block = place / sample_.block_rows / comm_.size();
  at::Tensor& into = sample_.blocks[block];
  return static_cast<std::byte*>(into.mutable_data_ptr()) + place % sample_.block_rows * row_bytes_;
}

}  // namespace knnseq::index
