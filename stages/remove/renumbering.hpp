// New numbers for what is left of a corpus.
#pragma once

#include <cstdint>
#include <vector>

namespace knnseq::stages {

/// A sentence that is taken out, of whichever shard.
struct RemovedSentence {
  std::int64_t line;         ///< of the text, from 0
  std::int64_t number;       ///< over the corpus after filtering
  std::int64_t first_entry;  ///< likewise
  std::int64_t entries;
};

/// Sentences and entries close ranks behind those that are taken out, as if these had never been
/// in the text. Numbers of lines stay: they lead back to the text.
class Renumbering {
 public:
  Renumbering() = default;  ///< nothing is taken out
  explicit Renumbering(std::vector<RemovedSentence> removed);

  std::int64_t sentences() const { return std::ssize(removed_); }  ///< taken out
  std::int64_t entries() const { return removed_before_.back(); }  ///< likewise
  /// New numbers; −1 for what is taken out.
  std::int64_t sentence(std::int64_t number) const;
  std::int64_t entry(std::int64_t number) const;

 private:
  std::vector<RemovedSentence> removed_;            ///< by entry, and so by number
  std::vector<std::int64_t> removed_before_ = {0};  ///< entries of the first i of them
};

}  // namespace knnseq::stages
