// Several models of one vocabulary that translate together.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/base/translation_model.hpp"

namespace knnseq::model {

/// Whose vectors are the keys and queries.
enum class EnsembleQueries {
  first,  ///< the first model's, [rows, d]
  all,    ///< all models' side by side, [rows, Σ d], for a datastore of each
};

struct EnsembleMember {
  std::string name;  ///< its path, for errors
  std::unique_ptr<TranslationModel> model;
};

/// The probability of a token is the mean of the models' probabilities, in fp32
/// (fairseq, EnsembleModel.forward_decoder). Sentence keys are the first model's. Positions and the
/// source vocabulary are the least of the models', bad tokens those of any. With
/// EnsembleQueries::first a KeySpec's layer is meant for the first model, and the others are run
/// for their log-probs only; with `all` every model must have it.
class EnsembleModel final : public TranslationModel {
 public:
  /// See make_ensemble.
  EnsembleModel(std::vector<EnsembleMember> members, EnsembleQueries queries);

  const ModelInfo& info() const override { return info_; }
  EncodedSource encode(Sentences sources) override;
  TeacherForced teacher_force(Sentences sources, Sentences targets,
                              const TeacherForcingOptions& options) override;
  std::unique_ptr<DecoderState> start(const EncodedSource& source, std::int64_t beams,
                                      KeySpec key) override;
  StepOutput step(DecoderState& state, std::span<const TokenId> tokens) override;
  void reorder(DecoderState& state, std::span<const std::int64_t> rows) override;

 private:
  /// The key that model i is asked for if the ensemble is asked for `asked`.
  KeySpec key_of(std::size_t i, KeySpec asked) const;

  std::vector<EnsembleMember> members_;
  EnsembleQueries queries_;
  ModelInfo info_;
};

/// An ensemble; of a single member, its model itself. Throws InputError naming two members that
/// differ in vocabulary size, decoder_start, EOS, pad or forced tokens.
std::unique_ptr<TranslationModel> make_ensemble(std::vector<EnsembleMember> members,
                                                EnsembleQueries queries);

}  // namespace knnseq::model
