#include "model/base/row_groups.hpp"

#include <set>

#include "core/types.hpp"

namespace knnseq::model {

RowGroups group_rows(std::span<const std::int64_t> rows, std::int64_t old_rows,
                     std::int64_t old_beams) {
  RowGroups groups;
  for (const std::int64_t row : rows) {
    KNNSEQ_ASSERT(row >= 0 && row < old_rows, "reorder: no such row");
    const std::int64_t sentence = row / old_beams;
    if (groups.sentences.empty() || groups.sentences.back() != sentence) {
      groups.sentences.push_back(sentence);
    }
  }
  if (groups.sentences.empty()) return groups;
  const std::set<std::int64_t> distinct(groups.sentences.begin(), groups.sentences.end());
  KNNSEQ_ASSERT(distinct.size() == groups.sentences.size(),
                "reorder: rows of a sentence must stay together");
  const auto sentences = static_cast<std::int64_t>(groups.sentences.size());
  groups.beams = static_cast<std::int64_t>(rows.size()) / sentences;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto group = i / static_cast<std::size_t>(groups.beams);
    KNNSEQ_ASSERT(group < groups.sentences.size() && rows[i] / old_beams == groups.sentences[group],
                  "reorder: sentences must keep equally many rows");
  }
  return groups;
}

}  // namespace knnseq::model
