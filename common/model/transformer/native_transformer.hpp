// The encoder-decoder Transformer on libtorch, on CPUs; on GPUs it is DeviceTransformer.
#pragma once

#include <utility>

#include "model/base/translation_model.hpp"
#include "model/layers/packed_tokens.hpp"
#include "model/transformer/transformer_parts.hpp"

namespace knnseq::model {

/// Called with layers' outputs in teacher forcing: rows of one run of sentences after another.
struct TransformerObserver {
  LayerObserver encoder;
  LayerObserver decoder;
};

/// Batches are cut into runs of a fixed number of tokens that stay in the cache; threads take whole
/// runs where there are enough, else they share each product.
class NativeTransformer final : public TranslationModel {
 public:
  explicit NativeTransformer(TransformerParts parts) : parts_(std::move(parts)) {}

  const ModelInfo& info() const override { return parts_.info; }
  EncodedSource encode(Sentences sources) override;
  TeacherForced teacher_force(Sentences sources, Sentences targets,
                              const TeacherForcingOptions& options) override;
  std::unique_ptr<DecoderState> start(const EncodedSource& source, std::int64_t beams,
                                      KeySpec key) override;
  StepOutput step(DecoderState& state, std::span<const TokenId> tokens) override;
  void reorder(DecoderState& state, std::span<const std::int64_t> rows) override;

  /// For tests: with an observer set, runs are worked on one after another.
  void observe(TransformerObserver observer) { observer_ = std::move(observer); }

 private:
  /// The encoder's output [rows rounded up, source_width].
  at::Tensor encode_run(const PackedTokens& tokens, const LayerObserver& observer) const;

  TransformerParts parts_;
  TransformerObserver observer_;
};

}  // namespace knnseq::model
