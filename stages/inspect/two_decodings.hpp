// Two finished decodings of one test set: without kNN and with it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/types.hpp"
#include "stages/shared/options/corpus_paths.hpp"
#include "store/manifest.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// A finished decoding, whose files are compared with its manifest.
class FinishedDecoding {
 public:
  /// Throws core::InputError if it is not finished.
  FinishedDecoding(const Folders& folders, const std::string& name);

  const store::Manifest& manifest() const { return manifest_; }
  bool has(const char* file) const;
  std::string path(const char* file) const { return (folder_ / file).string(); }
  std::vector<std::string> lines(const char* file) const;

 private:
  std::filesystem::path folder_;
  std::string command_;
  store::Manifest manifest_;
};

using TargetTokens = std::vector<core::TokenId>;

/// Line by line.
struct TwoDecodings {
  std::vector<std::string> sources;
  std::vector<std::string> references;           ///< empty: there are none
  std::vector<std::string> base_text, knn_text;  ///< what decode wrote
  std::vector<TargetTokens> base, knn;           ///< the best translation; empty for an empty line

  std::int64_t size() const { return std::ssize(sources); }
  /// Throws core::InputError if files are damaged, or the decodings are of different test sets.
  static TwoDecodings read(const FinishedDecoding& base, const FinishedDecoding& knn,
                           const text::Tokenizer& tokenizer);
};

/// A longest common subsequence: places in `a` and in `b`, ascending.
std::vector<std::pair<std::size_t, std::size_t>> common_tokens(const TargetTokens& a,
                                                               const TargetTokens& b);

}  // namespace knnseq::stages
