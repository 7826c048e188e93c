// A sample put together from rows that any rank may contribute.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "comm/communicator.hpp"
#include "index/sample/sample_blocks.hpp"

namespace knnseq::index {

/// Brings rows to the ranks whose blocks they belong to, some at a time: beside the finished blocks
/// only what one add() sends and receives is in memory (about four times its rows).
class SampleAssembly {
 public:
  /// Allocates this rank's blocks for total_rows rows of width dim; of a type that SampleBlocks may
  /// have.
  SampleAssembly(comm::Communicator& comm, std::int64_t total_rows, std::int64_t dim,
                 at::ScalarType type, std::int64_t block_rows = SampleBlocks{}.block_rows);

  /// Rows [places, dim] of the blocks' type, and the place of each in the whole sample; may be
  /// none. Collective: all ranks call it equally often.
  void add(std::span<const std::int64_t> places, std::span<const std::byte> rows);

  /// The sample. Throws std::logic_error if a row of this rank is missing. Not collective.
  SampleBlocks finish();

 private:
  std::byte* row_at(std::int64_t place);

  comm::Communicator& comm_;
  SampleBlocks sample_;
  std::int64_t row_bytes_;
  std::int64_t missing_;
};

}  // namespace knnseq::index
