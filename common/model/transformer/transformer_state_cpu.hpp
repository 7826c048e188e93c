// Where a decoding by transformer_cpu.cpp stands.
#pragma once

#include <vector>

#include "model/base/translation_model.hpp"
#include "model/layers/attention.hpp"

namespace knnseq::model {

/// Rows are never moved: reordering changes `backpointers`, and sentences that leave are dropped
/// from `cross_segments`. Memory is therefore held until the whole block is done: at each step
/// layers·rows·2·d floats.
struct TransformerStateCpu final : DecoderState {
  KeySpec key;                                ///< resolved
  std::vector<at::Tensor> cross_kv;           ///< of each layer [source rows, 2·d]
  std::vector<std::vector<at::Tensor>> past;  ///< of each layer and step [rows, 2·d] fp32
  std::vector<std::vector<std::int32_t>> backpointers;  ///< of each row: its row in each past step
  std::vector<AttentionSegment> cross_segments;         ///< of each sentence still there
  std::int64_t position = 0;                            ///< steps done

  std::int64_t rows() const override { return static_cast<std::int64_t>(backpointers.size()); }
  std::int64_t sentences() const { return static_cast<std::int64_t>(cross_segments.size()); }
  std::int64_t beams() const { return sentences() == 0 ? 0 : rows() / sentences(); }
};

/// TranslationModel::reorder for this state.
void reorder_state(TransformerStateCpu& state, std::span<const std::int64_t> rows);

}  // namespace knnseq::model
