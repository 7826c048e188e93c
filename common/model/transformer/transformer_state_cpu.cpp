#include "model/transformer/transformer_state_cpu.hpp"

#include <utility>

#include "model/base/row_groups.hpp"

namespace knnseq::model {

void reorder_state(TransformerStateCpu& state, std::span<const std::int64_t> rows) {
  const RowGroups groups = group_rows(rows, state.rows(), state.beams());
  std::vector<std::vector<std::int32_t>> backpointers;
  backpointers.reserve(rows.size());
  for (const std::int64_t row : rows) backpointers.push_back(state.backpointers[row]);
  std::vector<AttentionSegment> segments;
  for (const std::int64_t sentence : groups.sentences) {
    AttentionSegment segment = state.cross_segments[sentence];
    segment.query_begin = static_cast<std::int64_t>(segments.size()) * groups.beams;
    segment.query_end = segment.query_begin + groups.beams;
    segments.push_back(segment);
  }
  state.backpointers = std::move(backpointers);
  state.cross_segments = std::move(segments);
}

}  // namespace knnseq::model
