// Where a decoding by transformer_torch.cpp stands.
#pragma once

#include <numeric>
#include <optional>
#include <vector>

#include "gpu/integer_upload.hpp"
#include "model/base/translation_model.hpp"
#include "model/layers/key_value_cache.hpp"
#include "model/layers/padded_layout.hpp"

namespace knnseq::model {

/// Reordering is deferred and uploaded with the next step's tokens.
struct TransformerStateTorch final : DecoderState {
  KeySpec key;                                         ///< resolved
  PaddedLayout source;                                 ///< of the sentences on the device
  std::vector<at::Tensor> cross_kv;                    ///< of each layer [sentences, longest, 2·d]
  KeyValueCache past;                                  ///< of all layers
  std::int64_t sentences = 0;                          ///< after the deferred changes
  std::int64_t beams = 1;                              ///< likewise
  std::int64_t position = 0;                           ///< steps done
  std::optional<std::vector<std::int64_t>> rows_from;  ///< deferred: old row of each new one
  std::optional<std::vector<std::int64_t>> sentences_from;  ///< likewise; none: all stay

  std::int64_t rows() const override { return sentences * beams; }
};

/// TranslationModel::reorder for this state.
void reorder_state(TransformerStateTorch& state, std::span<const std::int64_t> rows);

/// The deferred changes as lists of an upload; makes them once it is sent.
class StateMove {
 public:
  StateMove(const TransformerStateTorch& state, gpu::IntegerUpload& upload);
  void apply(TransformerStateTorch& state, const std::vector<at::Tensor>& sent) const;

 private:
  std::optional<std::size_t> rows_;
  std::optional<std::size_t> sentences_;
};

}  // namespace knnseq::model
