// A deterministic model for tests: hidden vectors and log-probs are hashes of source and prefix.
#pragma once

#include <cstdint>

#include "model/base/translation_model.hpp"

namespace knnseq::test {

struct FakeModelOptions {
  std::int64_t width = 8;
  std::int64_t source_vocab_size = 24;
  std::int64_t vocab_size = 24;
  std::int64_t max_positions = 64;
  std::vector<model::TokenId> forced_tokens = {};
  std::uint64_t seed = 1;
  double eos_bias = 0.0;  ///< added to EOS's logit: the larger, the shorter the translations
  /// Logits are rounded to multiples of this if it is positive, so that equal scores occur.
  double logit_step = 0.0;
};

/// Every output depends on the whole source and the whole prefix, and on nothing else: not on the
/// batch, so results are bitwise the same alone and in company. EOS is 0, pad and decoder_start are
/// the last token.
class FakeModel final : public model::TranslationModel {
 public:
  explicit FakeModel(const FakeModelOptions& options = {});

  const model::ModelInfo& info() const override { return info_; }
  model::EncodedSource encode(model::Sentences sources) override;
  model::TeacherForced teacher_force(model::Sentences sources, model::Sentences targets,
                                     const model::TeacherForcingOptions& options) override;
  std::unique_ptr<model::DecoderState> start(const model::EncodedSource& source, std::int64_t beams,
                                             model::KeySpec key) override;
  model::StepOutput step(model::DecoderState& state,
                         std::span<const model::TokenId> tokens) override;
  void reorder(model::DecoderState& state, std::span<const std::int64_t> rows) override;

 private:
  FakeModelOptions options_;
  model::ModelInfo info_;
};

}  // namespace knnseq::test
