// Batches of a corpus to keys.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/translation_model.hpp"
#include "stages/options.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

/// What the model makes of consecutive batches, on its device, as it is stored.
struct EncodedBatches {
  at::Tensor keys;           ///< [entries, width] fp16
  at::Tensor sentence_keys;  ///< [sentences, source_width] fp16; only where the options want them
};

/// Teacher-forces whole batches. Each is one forward pass, whichever others are asked for with it:
/// its keys are the same bytes whenever they are made.
class BatchEncoder {
 public:
  /// model must live as long as this.
  BatchEncoder(model::TranslationModel& model, const DatastoreOptions& options)
      : model_(model), options_(options) {}

  /// One batch, as soon as its device has been told to; its keys may not be finite. Not collective.
  EncodedBatches forward(const store::CorpusShard& corpus, std::int64_t batch) const;
  /// Throws core::InputError naming the line of the corpus where a key is not finite in fp16. Not
  /// collective.
  EncodedBatches encode(const store::CorpusShard& corpus, core::Range batches) const;

 private:
  model::TranslationModel& model_;
  DatastoreOptions options_;
};

/// Throws core::InputError naming the line of the corpus of a key that is not finite. first_row:
/// row of the shard that the first of `keys` [n, width] is. Not collective.
void require_finite(const at::Tensor& keys, const store::CorpusShard& corpus,
                    std::int64_t first_row);

}  // namespace knnseq::stages
