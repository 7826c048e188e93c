// Finished blocks: their journal, and the files made of them in the end.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "search/hypothesis.hpp"
#include "stages/decode/output_report.hpp"
#include "stages/decode/test_set.hpp"
#include "store/journal.hpp"

namespace knnseq::stages {

/// How translations become text.
struct OutputRules {
  std::string postprocess;  ///< shell command; empty: none
  /// The search that made them, and its number of target positions; none if they were not searched
  /// for, but are targets of the datastore.
  std::optional<search::BeamOptions> beam;
  std::int64_t positions = 0;
};

/// Each rank appends the blocks it has translated to a journal of its own in `folder`.
class Translations {
 public:
  /// Reads what earlier runs have done. All ranks must do so before one calls append().
  explicit Translations(std::filesystem::path folder);

  const std::set<std::int64_t>& done() const { return done_; }
  /// Durable when it returns. lines: of the block, in the order of `hypotheses`.
  void append(int rank, std::int64_t block, const std::vector<std::int64_t>& lines,
              const std::vector<std::vector<search::Hypothesis>>& hypotheses);
  void close() { journal_.reset(); }

  /// Writes hyp.txt, src.txt and nbest.jsonl from all journals, each text as one line (see
  /// text::output_line). By one rank, when all blocks are done and all journals closed. Throws
  /// core::InputError if a translation has a token that the tokeniser has not.
  static OutputReport write_files(const std::filesystem::path& folder, const TestSet& set,
                                  const text::Tokenizer& tokenizer, const OutputRules& rules);
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
