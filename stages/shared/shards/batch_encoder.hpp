// Batches of a corpus to keys.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/base/translation_model.hpp"
#include "stages/shared/options/options.hpp"
#include "store/corpus_shard.hpp"
#include "store/hdf5_file.hpp"

namespace knnseq::stages {

/// What the model makes of consecutive batches, on its device, as it is stored.
struct EncodedBatches {
  at::Tensor keys;           ///< [entries, width], of the type in which keys are stored
  at::Tensor sentence_keys;  ///< [sentences, source_width] fp16; only if the options want them
  at::Tensor log_probs;      ///< [entries] fp16, of their tokens; likewise
};

/// The dataset of log_probs in a shard's file.
inline constexpr const char* log_probs_name = "log_probs";
store::DatasetSpec log_probs_dataset(std::int64_t entries);

/// Throws core::InputError naming the line of the corpus of the first row that is not finite.
/// `finite` [rows] bool, on the CPU; first_row: of them in the shard.
void require_finite(const at::Tensor& finite, const store::CorpusShard& corpus,
                    std::int64_t first_row, KeyType type);

/// Teacher-forces whole batches. Each is one forward pass, whichever others are asked for with it:
/// its keys are the same bytes whenever they are made.
class BatchEncoder {
 public:
  /// model must live as long as this.
  BatchEncoder(model::TranslationModel& model, const DatastoreOptions& options)
      : model_(model), options_(options) {}

  /// Throws core::InputError if sentences are longer than the model takes, or hold tokens that
  /// it does not have.
  void require_corpus(const store::CorpusShard& corpus) const;

  /// One batch, unchecked; on a GPU it has only been queued when this returns. Not collective.
  EncodedBatches encode_batch(const store::CorpusShard& corpus, std::int64_t batch) const;
  KeyType key_type() const { return options_.keys; }

 private:
  model::TranslationModel& model_;
  DatastoreOptions options_;
};

}  // namespace knnseq::stages
