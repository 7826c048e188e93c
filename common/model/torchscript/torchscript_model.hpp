// A translation model of any kind, given as a TorchScript archive.
#pragma once

#include <filesystem>

#include "model/base/translation_model.hpp"
#include "model/torchscript/torchscript_module.hpp"

namespace knnseq::model {

/// The script has three methods (docs/torchscript.md says all about them):
///   encode(source, lengths) -> states
///   teacher_force(states, lengths, inputs, input_lengths, with_log_probs) -> (keys, log-probs)
///   step(tokens, states, lengths, cache) -> (queries, log-probs, cache)
/// It gives one kind of key, which is in its extra file knnseq.json; asking for another is an
/// InputError. So is any error of the script. Sentences are padded to the longest of a
/// run; runs are cut by lengths alone, so that results are those of the same batch each time.
class TorchscriptModel final : public TranslationModel {
 public:
  /// Throws InputError naming the file.
  TorchscriptModel(const std::filesystem::path& file, const std::vector<TokenId>& forced_tokens);

  const ModelInfo& info() const override { return info_; }
  EncodedSource encode(Sentences sources) override;
  TeacherForced teacher_force(Sentences sources, Sentences targets,
                              const TeacherForcingOptions& options) override;
  std::unique_ptr<DecoderState> start(const EncodedSource& source, std::int64_t beams,
                                      KeySpec key) override;
  StepOutput step(DecoderState& state, std::span<const TokenId> tokens) override;
  void reorder(DecoderState& state, std::span<const std::int64_t> rows) override;

 private:
  std::string path_;
  ModelInfo info_;
  TorchscriptModule module_;
};

}  // namespace knnseq::model
