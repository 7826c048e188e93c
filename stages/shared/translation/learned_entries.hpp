// Entries of pairs that a resident translator learns, beside an index that is open already.
#pragma once

#include <memory>
#include <vector>

#include "index/faiss_io/coded_entries.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "model/base/translation_model.hpp"
#include "retrieval/knn_search.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/shared/search/open_search.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

/// A pair as tokens.
struct LearnedPair {
  std::vector<core::TokenId> source;  ///< as the encoder takes it
  std::vector<core::TokenId> target;  ///< ends in EOS
};

/// On each rank all of them, coded by the datastore's codebook. Entry numbers follow those of the
/// datastore.
class LearnedEntries {
 public:
  /// Reads the codebook. Throws core::InputError on all ranks. Collective.
  LearnedEntries(runtime::StageContext& context, const Options& options,
                 const BuiltDatastore& datastore);

  /// A pair's lists and codes, without ids yet. It is encoded by itself: its keys do not depend on
  /// what is learned with it. Throws core::InputError if the pair is too long for the model or a
  /// key is not finite. Not collective.
  index::CodedEntries code(model::TranslationModel& model, const LearnedPair& pair) const;

  /// Adds what code() has made of a pair, the one of a line (from 0) of the learned text. Returns
  /// its text, with entry numbers that count from first_entry(). Not collective.
  store::CorpusShard keep(const LearnedPair& pair, index::CodedEntries coded, std::int64_t line);

  std::int64_t first_entry() const { return first_entry_; }
  std::int64_t entries() const { return entries_; }
  /// The search in all that were added, as if they were an index of their own. Collective.
  std::unique_ptr<retrieval::KnnSearch> search(const retrieval::SearchOptions& options);

 private:
  runtime::StageContext& context_;
  DatastoreOptions key_options_;
  std::int64_t first_entry_;
  index::Codebook codebook_;
  index::VectorQuantizer quantizer_;
  std::int64_t entries_ = 0;
  index::CodedEntries coded_;
};

}  // namespace knnseq::stages
