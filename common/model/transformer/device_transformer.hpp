// The encoder-decoder Transformer for GPUs.
#pragma once

#include <utility>

#include "model/base/translation_model.hpp"
#include "model/transformer/transformer_parts.hpp"

namespace knnseq::model {

/// Takes a batch as a whole: linear layers see all tokens packed, fused attention sees sentences
/// padded to the longest. Everything that depends on the batch (tokens, positions, where rows lie)
/// is worked out on the host and goes over in one copy a call; nothing waits for the device. All
/// tensors in and out are on the device that the parts' weights are on, which may be the CPU: tests
/// compare this with NativeTransformer there.
class DeviceTransformer final : public TranslationModel {
 public:
  explicit DeviceTransformer(TransformerParts parts) : parts_(std::move(parts)) {}

  const ModelInfo& info() const override { return parts_.info; }
  EncodedSource encode(Sentences sources) override;
  TeacherForced teacher_force(Sentences sources, Sentences targets,
                              const TeacherForcingOptions& options) override;
  std::unique_ptr<DecoderState> start(const EncodedSource& source, std::int64_t beams,
                                      KeySpec key) override;
  StepOutput step(DecoderState& state, std::span<const TokenId> tokens) override;
  void reorder(DecoderState& state, std::span<const std::int64_t> rows) override;

 private:
  at::Device device() const { return parts_.encoder.embedding.positions.device(); }

  TransformerParts parts_;
};

}  // namespace knnseq::model
