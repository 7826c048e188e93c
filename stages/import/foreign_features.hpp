// Features of source sentences, by which similar ones are found.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/base/model_info.hpp"
#include "stages/import/foreign_sentences.hpp"

namespace knnseq::stages {

/// Files of import.sentences, one for each file of values. Their rows are the sentences of its
/// values, in that order or in one of their own: knn-seq sorts source sentences by their own
/// lengths, and keeps that order in the values.bin of the source side.
class ForeignFeatures {
 public:
  /// Where import.source_values names no files, a file values.bin beside the features is that of
  /// the source side, as it is for knn-seq; without one the order is that of the values. Throws
  /// core::InputError naming the file if features are not as many as sentences, or of other types
  /// or widths. In memory: 8 bytes a sentence of files that have an order of their own.
  ForeignFeatures(const ImportOptions& options, const ForeignSentences& sentences);

  std::int64_t width() const { return files_.front().features.columns; }
  /// All files that are read.
  const std::vector<std::filesystem::path>& paths() const { return paths_; }
  /// Whether a file of the source side says in which order they are.
  bool have_own_order() const { return paths_.size() > files_.size(); }

  /// fp16 [sentences, width]. Throws core::InputError naming file and row if one holds zeros only,
  /// or a number that is not finite (in fp16).
  at::Tensor read(core::Range sentences) const;

 private:
  struct File {
    ForeignArray features;
    std::vector<std::int64_t> rows;  ///< of each line; empty: as the sentences
  };
  at::Tensor read_rows_of(const File& file, std::size_t number, core::Range rows) const;

  const ForeignSentences& sentences_;
  std::vector<File> files_;
  std::vector<std::filesystem::path> paths_;
};

/// Features by which the model's own encoder is to find sentences must be as wide as its vectors.
/// Throws core::InputError.
void require_feature_width(const Options& options, const ForeignFeatures& features,
                           const model::ModelInfo& model);

}  // namespace knnseq::stages
