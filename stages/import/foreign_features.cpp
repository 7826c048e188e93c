#include "stages/import/foreign_features.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "stages/import/read_array.hpp"

namespace knnseq::stages {

namespace {

namespace fs = std::filesystem;

constexpr const char* source_values_name = "values.bin";

/// The file that says in which order features are; none: that of the values.
fs::path source_values_of(const ImportOptions& options, std::size_t file) {
  if (!options.source_values.empty()) return options.source_values[file];
  const auto folder = options.sentences[file].parent_path();
  auto beside = folder / source_values_name;
  if (!fs::exists(beside)) return {};
  const auto lies_there = [&](const fs::path& path) { return path.parent_path() == folder; };
  if (std::ranges::count_if(options.sentences, lies_there) == 1) return beside;
  throw core::InputError(beside,
                         "lies beside several files of sentence features; say in "
                         "import.source_values which files hold their order");
}

/// Which row each line of the text is in, if that is not the order of the values.
std::vector<std::int64_t> rows_of_lines(const fs::path& path, const ForeignSentences& sentences,
                                        std::size_t file) {
  const ForeignArray order = find_of_sentences(path, "sort_order");
  const auto count = sentences.lines_of_file(file);
  if (order.rows != count) {
    throw core::InputError(
        path, fmt::format("has {} source sentences; the values have {}", order.rows, count));
  }
  const auto lines = read_numbers(order, {0, count});
  std::vector<std::int64_t> rows(count, -1);
  for (std::int64_t row = 0; row < count; ++row) {
    const auto line = lines[row];
    if (line < 0 || line >= count || rows[line] >= 0) {
      throw core::InputError(
          path, fmt::format("row {} of dataset 'sort_order' is {}, which is {}", row, line,
                            line < 0 || line >= count ? "none of its sentences"
                                                      : "there for the second time"));
    }
    rows[line] = row;
  }
  if (lines == sentences.lines_in_file(file, {0, count})) return {};
  return rows;
}

}  // namespace

ForeignFeatures::ForeignFeatures(const ImportOptions& options, const ForeignSentences& sentences)
    : sentences_(sentences) {
  if (!sentences.are_lines()) {
    throw core::InputError(
        options.values.front(),
        "says nothing of sentences: import.sentences goes with the values of knn-seq only");
  }
  const auto require_count = [&](const char* key, std::size_t files) {
    if (files == options.values.size()) return;
    throw core::InputError(
        fmt::format("import.{}: one file for each of the {} of import.values; there are {}", key,
                    options.values.size(), files));
  };
  require_count("sentences", options.sentences.size());
  if (!options.source_values.empty()) {
    require_count("source_values", options.source_values.size());
  }
  paths_ = options.sentences;
  for (std::size_t i = 0; i < options.sentences.size(); ++i) {
    File file{find_features(options.sentences[i]), {}};
    const auto count = sentences.lines_of_file(i);
    if (file.features.rows != count) {
      throw core::InputError(options.sentences[i],
                             fmt::format("has features of {} sentences; {} has {}",
                                         file.features.rows, options.values[i].string(), count));
    }
    if (i > 0 && file.features.columns != width()) {
      throw core::InputError(options.sentences[i],
                             fmt::format("has features of width {}, the first file's are {} wide",
                                         file.features.columns, width()));
    }
    const auto source = source_values_of(options, i);
    if (!source.empty()) {
      file.rows = rows_of_lines(source, sentences, i);
      paths_.push_back(source);
    }
    files_.push_back(std::move(file));
  }
}

void require_feature_width(const Options& options, const ForeignFeatures& features,
                           const model::ModelInfo& model) {
  const bool own = options.subset.encoder == SentenceEncoder::torchscript;
  if (own || features.width() == model.source_width) return;
  throw core::InputError(
      features.paths().front(),
      fmt::format(
          "has features of width {}, the model's encoder gives {}: those of another encoder "
          "need subset.encoder: torchscript, and that encoder as subset.model",
          features.width(), model.source_width));
}

at::Tensor ForeignFeatures::read_rows_of(const File& file, std::size_t number,
                                         core::Range rows) const {
  const ForeignArray& features = file.features;
  at::Tensor vectors =
      at::empty({rows.size(), width()}, features.type == "f2" ? at::kHalf : at::kFloat);
  const std::span<std::byte> bytes(static_cast<std::byte*>(vectors.mutable_data_ptr()),
                                   vectors.nbytes());
  std::vector<std::int64_t> at = count_up(rows);
  if (file.rows.empty()) {
    read_rows(features, rows, bytes);
  } else {
    const auto row_bytes = features.row_bytes();
    const auto lines = sentences_.lines_in_file(number, rows);
    for (std::int64_t i = 0; i < rows.size(); ++i) {
      at[i] = file.rows[lines[i]];
      read_rows(features, {at[i], at[i] + 1}, bytes.subspan(i * row_bytes, row_bytes));
    }
  }
  if (const auto fault = find_fault(features, bytes)) {
    throw core::InputError(
        features.path, fmt::format("row {} holds {}", at[fault->row],
                                   fault->zeros ? "zeros only: there is no feature of that sentence"
                                                : "a number that is not finite"));
  }
  vectors = vectors.to(at::kHalf);
  const at::Tensor too_large = at::isfinite(vectors).all(1).logical_not().nonzero();
  if (too_large.numel() == 0) return vectors;
  throw core::InputError(features.path, fmt::format("row {} holds a number too large for fp16",
                                                    at[too_large[0].item<std::int64_t>()]));
}

at::Tensor ForeignFeatures::read(core::Range sentences) const {
  std::vector<at::Tensor> parts = {at::empty({0, width()}, at::kHalf)};
  sentences_.for_each_file(sentences, [&](std::size_t file, core::Range rows, std::int64_t) {
    parts.push_back(read_rows_of(files_[file], file, rows));
  });
  return at::cat(parts);
}

}  // namespace knnseq::stages
