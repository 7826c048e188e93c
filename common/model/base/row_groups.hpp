// The rule that reordered rows must keep: rows of a sentence in one run, all runs equally long.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace knnseq::model {

struct RowGroups {
  std::vector<std::int64_t> sentences;  ///< old number of each remaining sentence, in new order
  std::int64_t beams = 0;               ///< new rows of each
};

/// Groups new rows, given as numbers of old rows (`old_rows` of them, `old_beams` a sentence).
/// Throws std::logic_error if the rule is broken or a number is out of range.
RowGroups group_rows(std::span<const std::int64_t> rows, std::int64_t old_rows,
                     std::int64_t old_beams);

}  // namespace knnseq::model
