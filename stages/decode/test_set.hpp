// A test set, tokenised and cut into blocks.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// Lines are never left out: an empty one translates to an empty line, one that is longer than the
/// model's positions is cut, with a warning.
struct TestSet {
  std::vector<std::string> lines;
  std::vector<std::vector<core::TokenId>> sources;  ///< [lines], framed; empty for an empty line
  /// Lines that are decoded together, longest first: the same for any number of ranks.
  std::vector<std::vector<std::int64_t>> blocks;
};

struct TestSetOptions {
  std::filesystem::path file;
  std::string preprocess;  ///< shell command, run by one rank; empty: none
  std::int64_t block_sentences = 64;
  std::int64_t source_positions = 0;  ///< most tokens of a source
};

/// Every rank gets the whole set. Throws core::InputError on all ranks. Collective.
TestSet read_test_set(runtime::StageContext& context, const TestSetOptions& options,
                      const text::Tokenizer& tokenizer);

}  // namespace knnseq::stages
