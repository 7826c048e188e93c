// What the sizes and times of a run follow from, beside its config.
#pragma once

#include <cstdint>
#include <optional>

#include "index/core/index_spec.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// How much a corpus comes to.
struct CorpusSize {
  std::int64_t sentences = 0;
  std::int64_t source_tokens = 0;
  std::int64_t entries = 0;
  bool estimated = true;  ///< from a sample of lines; else as partition has counted

  CorpusSize& operator+=(const CorpusSize& other);
};

struct Needs {
  CorpusSize corpus;             ///< the first one and those of append: together
  std::int64_t width = 0;        ///< of a key
  std::int64_t model_bytes = 0;  ///< of weights, as files
  index::IndexSpec index;
  std::optional<KeyType> imported =
      std::nullopt;                          ///< keys of another program: what they are stored in
  std::int64_t imported_sentence_width = 0;  ///< of sentence features that come with them
};

}  // namespace knnseq::stages
