// The interface every translation model offers to encoding and to search.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/base/key_kind.hpp"
#include "model/base/model_info.hpp"

namespace knnseq::model {

/// Sentences as token ids: sources as the encoder takes them, targets with their EOS. Batches need
/// no padding.
using Sentences = std::span<const std::vector<TokenId>>;

// All tensors below are on the model's device; lists of numbers and tokens are the host's. A GPU
// may still be computing them when a call returns: what is done with them there comes after.

/// What the encoder made of a batch, without padding: the sentences' vectors one after another.
struct EncodedSource {
  at::Tensor states;                  ///< [Σ lengths, source_width] fp32
  std::vector<std::int64_t> lengths;  ///< tokens of each sentence, EOS included
  std::vector<EncodedSource> others;  ///< of an ensemble's further models
};

struct TeacherForcingOptions {
  KeySpec key = {};
  bool sentence_keys = false;
  bool log_probs = false;
};

struct TeacherForced {
  /// [entries, d] fp32: all positions of target 0, then of target 1, …; n tokens + EOS are n+1
  /// rows.
  at::Tensor keys;
  /// [sentences, source_width] fp32: mean of the encoder's output over all of a source. Only if
  /// asked.
  at::Tensor sentence_keys;
  /// [entries, V] fp32. Only if asked.
  at::Tensor log_probs;
};

struct StepOutput {
  at::Tensor queries;    ///< [rows, d] fp32, of the kind the state was started with
  at::Tensor log_probs;  ///< [rows, V] fp32, contiguous; the caller may change it
};

/// Where a decoding stands: rows (hypotheses) grouped by sentence, equally many for each sentence.
class DecoderState {
 public:
  virtual ~DecoderState() = default;
  virtual std::int64_t rows() const = 0;
};

/// The state as the kind that the model made it. Throws std::logic_error for another model's.
template <class State>
State& state_of(DecoderState& state) {
  auto* own = dynamic_cast<State*>(&state);
  KNNSEQ_ASSERT(own != nullptr, "the state was started by another model");
  return *own;
}

/// Calls on one object must not overlap. The same call on the same batch gives the same bytes on
/// one machine with one number of threads; another batch may round differently.
class TranslationModel {
 public:
  virtual ~TranslationModel() = default;
  virtual const ModelInfo& info() const = 0;

  /// Encodes sources. Throws InputError for an empty sentence, one longer than the positions, or a
  /// token outside the vocabulary.
  virtual EncodedSource encode(Sentences sources) = 0;

  /// Hidden vectors of all target positions given the true prefix. One target per source;
  /// targets end in EOS and are what is predicted: the decoder's input is decoder_start, the
  /// forced tokens, and the target without its EOS. Throws as encode does, and if the decoder
  /// has no such layer.
  virtual TeacherForced teacher_force(Sentences sources, Sentences targets,
                                      const TeacherForcingOptions& options) = 0;

  /// A state of sentences·beams rows, `beams` consecutive ones for each sentence, at position 0.
  virtual std::unique_ptr<DecoderState> start(const EncodedSource& source, std::int64_t beams,
                                              KeySpec key) = 0;

  /// Feeds one token to each row (decoder_start first, then forced tokens) and predicts the next.
  /// Throws std::logic_error unless there is one token per row, or if positions are used up.
  virtual StepOutput step(DecoderState& state, std::span<const TokenId> tokens) = 0;

  /// New row i continues old row rows[i]: keeps, permutes, duplicates and drops rows. Rows of
  /// one sentence stay together, in one run, and each remaining sentence has equally many; how many
  /// may change. Throws std::logic_error otherwise.
  virtual void reorder(DecoderState& state, std::span<const std::int64_t> rows) = 0;
};

}  // namespace knnseq::model
