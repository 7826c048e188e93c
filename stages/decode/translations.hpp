// Finished blocks: their journal, and the files made of them in the end.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "search/hypothesis.hpp"
#include "stages/decode/test_set.hpp"
#include "store/journal.hpp"

namespace knnseq::stages {

/// Each rank appends the blocks it has translated to a journal of its own in `folder`.
class Translations {
 public:
  /// Reads what earlier runs have done. All ranks must have, before one calls append().
  explicit Translations(std::filesystem::path folder);

  const std::set<std::int64_t>& done() const { return done_; }
  /// Durable when it returns. lines: of the block, in the order of `hypotheses`.
  void append(int rank, std::int64_t block, const std::vector<std::int64_t>& lines,
              const std::vector<std::vector<search::Hypothesis>>& hypotheses);
  void close() { journal_.reset(); }

  /// Writes hyp.txt, src.txt and nbest.jsonl from all journals; texts go through the shell command
  /// `postprocess` unless it is empty. By one rank, when all blocks are done and all journals
  /// closed.
  static void write_files(const std::filesystem::path& folder, const TestSet& set,
                          const text::Tokenizer& tokenizer, const std::string& postprocess);
  /// Names of all that is written to the folder, for runtime::StageDefinition::files.
  static std::vector<std::string> files();
  static void remove_journals(const std::filesystem::path& folder);

 private:
  std::filesystem::path folder_;
  std::string owner_;  ///< what the stage was begun with
  std::set<std::int64_t> done_;
  std::unique_ptr<store::Journal> journal_;
};

}  // namespace knnseq::stages
