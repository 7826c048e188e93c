// A test set, tokenised and cut into blocks.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/model_info.hpp"
#include "obs/log.hpp"
#include "text/tokenizer.hpp"

namespace knnseq::stages {

/// Lines are never left out: an empty one translates to an empty line, one that is longer than the
/// model's positions is cut, with a warning.
struct TestSet {
  std::vector<std::string> lines;
  std::vector<std::vector<core::TokenId>> sources;  ///< [lines], with EOS; empty for an empty line
  /// Lines that are decoded together, longest first: the same for any number of ranks.
  std::vector<std::vector<std::int64_t>> blocks;
};

/// Every rank reads the whole set. Throws core::InputError.
TestSet read_test_set(const std::filesystem::path& file, std::int64_t block_sentences,
                      const text::Tokenizer& tokenizer, const model::ModelInfo& info,
                      obs::Log& log);

}  // namespace knnseq::stages
