#include "stages/shared/sample/distribute_sample_rows.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/types.hpp"
#include "index/sample/sample_assembly.hpp"

namespace knnseq::stages {

namespace {

/// Rows of each rank that travel together: bounds the memory of messages.
constexpr std::int64_t piece_rows = 8192;

}  // namespace

index::SampleBlocks distribute_sample_rows(comm::Communicator& comm, const SampleRows& mine,
                                           std::int64_t width, at::ScalarType type) {
  const auto row_bytes = width * static_cast<std::int64_t>(c10::elementSize(type));
  auto all_entries = comm.all_gather(std::span<const std::int64_t>(mine.entries)).values;
  std::sort(all_entries.begin(), all_entries.end());
  comm::agree(comm, [&] {
    if (std::ranges::adjacent_find(all_entries) != all_entries.end()) {
      throw core::InputError("the training sample holds a row twice");
    }
    if (std::ssize(mine.keys) != std::ssize(mine.entries) * row_bytes) {
      throw core::InputError(
          fmt::format("the vectors of the training sample do not have width {}", width));
    }
  });
  const auto place_of = [&](std::int64_t entry) {
    return std::lower_bound(all_entries.begin(), all_entries.end(), entry) - all_entries.begin();
  };

  index::SampleAssembly assembly(comm, std::ssize(all_entries), width, type);
  const auto most = comm.all_reduce(std::ssize(mine.entries), comm::Reduction::max);
  for (std::int64_t begin = 0; begin < most; begin += piece_rows) {
    const core::Range rows{std::min(begin, std::ssize(mine.entries)),
                           std::min(begin + piece_rows, std::ssize(mine.entries))};
    std::vector<std::int64_t> places;
    for (auto row = rows.begin; row < rows.end; ++row) {
      places.push_back(place_of(mine.entries[row]));
    }
    const auto keys = std::span(mine.keys).subspan(rows.begin * row_bytes, rows.size() * row_bytes);
    assembly.add(places, keys);
  }
  return assembly.finish();
}

}  // namespace knnseq::stages
