// The trace of a translation: what the model and the neighbours said of each of its tokens, as
// JSON. docs/trace.md describes it, docs/trace.schema.json is its schema.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/base/translation_model.hpp"
#include "retrieval/knn_mixer.hpp"
#include "retrieval/subset/subset_search.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/shared/trace/datastore_text.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// Of the trace's format; another one if a reader of this one would misread it.
inline constexpr int trace_version = 1;

/// How much of it.
struct TraceOptions {
  std::int64_t neighbours = 8;  ///< of each token: the nearest in each datastore
  std::int64_t candidates = 5;  ///< of each token: the best by p_mt, by p_knn and by p
  bool plane = false;           ///< where the query and these neighbours lie, in two dimensions
  /// Places of the tokens that have candidates and neighbours; empty: all.
  std::vector<std::int64_t> tokens = {};

  auto operator<=>(const TraceOptions&) const = default;
};

/// A translation to be explained.
struct TracedTranslation {
  std::string source;                        ///< the line, as the user gave it
  std::vector<core::TokenId> source_tokens;  ///< as the encoder takes them; empty: an empty line
  std::vector<core::TokenId> target;  ///< the model's forced tokens, and EOS at the end; may be
                                      ///< empty
  std::map<std::int64_t, core::TokenId> also = {};  ///< more candidates: {position: token}
  /// The same as TraceOptions::tokens, of this one only. None: as the options say.
  std::optional<std::set<std::int64_t>> explained = {};
};

/// A decoding that is open, with what its searches work on.
struct TracedDecoding {
  const Options& options;
  const DecodeOptions& decoding;
  const text::Tokenizer& tokenizer;
  model::TranslationModel& model;
  retrieval::KnnMixer* mixer = nullptr;       ///< null without kNN, and in mode memory
  retrieval::SubsetSearch* memory = nullptr;  ///< in mode memory
  DatastoreText* text = nullptr;              ///< unless without kNN
};

/// One trace for each translation, on every rank. The probabilities are those of teacher forcing
/// with the translation, each sentence by itself: they do not depend on the number of ranks, and
/// differ from those of the search by rounding. `translations` are the same on all ranks. Throws
/// core::InputError (on all ranks) as DatastoreText::find() does. Collective.
std::vector<core::Json> trace(runtime::StageContext& context, const TracedDecoding& decoding,
                              const std::vector<TracedTranslation>& translations,
                              const TraceOptions& how);

}  // namespace knnseq::stages
