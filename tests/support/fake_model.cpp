#include "support/fake_model.hpp"

#include <bit>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>

#include "core/hash.hpp"
#include "model/base/row_groups.hpp"

namespace knnseq::test {

using namespace model;

namespace {

using core::seeded_hash;

/// A row's prefix and source, boiled down to one number.
struct FakeState final : DecoderState {
  KeyKind key = KeyKind::ffn_in;
  std::vector<std::uint64_t> hashes;
  std::int64_t beams = 1;
  std::int64_t position = 0;
  std::int64_t rows() const override { return static_cast<std::int64_t>(hashes.size()); }
};

double unit(std::uint64_t hash) { return static_cast<double>(hash >> 11) * 0x1.0p-53; }

std::uint64_t append(std::uint64_t hash, TokenId token) {
  return seeded_hash(hash, static_cast<std::uint64_t>(token));
}

void write_vector(std::uint64_t hash, float* out, std::int64_t width) {
  for (std::int64_t c = 0; c < width; ++c) {
    const auto number = static_cast<std::uint64_t>(c);
    *out++ = static_cast<float>(2.0 * unit(seeded_hash(hash, number)) - 1.0);
  }
}

void write_log_probs(std::uint64_t hash, const FakeModelOptions& options, float* out) {
  constexpr double spread = 6.0;
  std::vector<double> logits(options.vocab_size);
  double sum = 0.0;
  for (std::size_t token = 0; token < logits.size(); ++token) {
    double logit = spread * unit(seeded_hash(~hash, token)) + (token == 0 ? options.eos_bias : 0.0);
    if (options.logit_step > 0.0) {
      logit = std::round(logit / options.logit_step) * options.logit_step;
    }
    logits[token] = logit;
    sum += std::exp(logit);
  }
  for (const double logit : logits) *out++ = static_cast<float>(logit - std::log(sum));
}

/// Hidden vectors differ between the kinds of key.
std::uint64_t key_hash(std::uint64_t hash, KeyKind key) {
  return key == KeyKind::ffn_in ? hash : ~core::mix64(hash);
}

std::uint64_t hash_source(const std::vector<TokenId>& source, std::uint64_t seed) {
  std::uint64_t hash = seed;
  for (const TokenId token : source) hash = append(hash, token);
  return hash;
}

/// The encoder's "vectors" carry the sentence's hash bit by bit, for start() to read.
constexpr std::int64_t min_width = 4;
constexpr int piece_bits = 16;

std::uint64_t read_hash(const float* vector) {
  std::uint64_t hash = 0;
  for (std::int64_t i = min_width; i-- > 0;) {
    hash = hash << piece_bits | static_cast<std::uint64_t>(vector[i]);
  }
  return hash;
}

void write_hash(std::uint64_t hash, float* vector) {
  for (std::int64_t i = 0; i < min_width; ++i, hash >>= piece_bits) {
    vector[i] = static_cast<float>(hash & 0xffffu);
  }
}

}  // namespace

FakeModel::FakeModel(const FakeModelOptions& options) : options_(options) {
  KNNSEQ_ASSERT(options.width >= min_width, "a fake model is at least 4 wide");
  KNNSEQ_ASSERT(options.vocab_size >= 3, "a fake model has EOS, pad and a word at least");
  info_.family = "fake";
  info_.width = options.width;
  info_.source_width = options.width;
  info_.decoder_layers = 1;
  info_.source_vocab_size = options.source_vocab_size;
  info_.vocab_size = options.vocab_size;
  info_.source_positions = options.max_positions;
  info_.target_positions = options.max_positions;
  info_.forced_tokens = options.forced_tokens;
  info_.eos = 0;
  info_.pad = core::narrow<TokenId>(options.vocab_size - 1);
  info_.decoder_start = info_.pad;
  info_.bad_tokens = {info_.pad};
}

EncodedSource FakeModel::encode(Sentences sources) {
  EncodedSource made;
  std::int64_t rows = 0;
  for (const auto& source : sources) {
    if (source.empty()) throw core::InputError("source sentence", "is empty: EOS is missing");
    made.lengths.push_back(static_cast<std::int64_t>(source.size()));
    rows += made.lengths.back();
  }
  made.states = at::zeros({rows, info_.width}, at::kFloat);
  auto* out = made.states.mutable_data_ptr<float>();
  for (const auto& source : sources) {
    const std::uint64_t hash = hash_source(source, options_.seed);
    for (std::size_t i = 0; i < source.size(); ++i, out += info_.width) write_hash(hash, out);
  }
  return made;
}

TeacherForced FakeModel::teacher_force(Sentences sources, Sentences targets,
                                       const TeacherForcingOptions& options) {
  KNNSEQ_ASSERT(sources.size() == targets.size(), "sources and targets must be equally many");
  std::vector<std::uint64_t> hashes;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    std::uint64_t hash = append(hash_source(sources[i], options_.seed), info_.decoder_start);
    for (const TokenId token : info_.forced_tokens) hash = append(hash, token);
    for (const TokenId token : targets[i]) {
      hashes.push_back(hash);
      hash = append(hash, token);
    }
  }
  const auto rows = static_cast<std::int64_t>(hashes.size());
  TeacherForced made;
  made.keys = at::empty({rows, info_.width}, at::kFloat);
  auto* key = made.keys.mutable_data_ptr<float>();
  for (std::size_t i = 0; i < hashes.size(); ++i, key += info_.width) {
    write_vector(key_hash(hashes[i], options.key.kind), key, info_.width);
  }
  if (options.sentence_keys) {
    const auto count = static_cast<std::int64_t>(sources.size());
    made.sentence_keys = at::empty({count, info_.width}, at::kFloat);
    auto* out = made.sentence_keys.mutable_data_ptr<float>();
    for (const auto& source : sources) {
      write_vector(hash_source(source, options_.seed), out, info_.width);
      out += info_.width;
    }
  }
  if (options.log_probs) {
    made.log_probs = at::empty({rows, info_.vocab_size}, at::kFloat);
    auto* out = made.log_probs.mutable_data_ptr<float>();
    for (const std::uint64_t hash : hashes) {
      write_log_probs(hash, options_, out);
      out += info_.vocab_size;
    }
  }
  return made;
}

std::unique_ptr<DecoderState> FakeModel::start(const EncodedSource& source, std::int64_t beams,
                                               KeySpec key) {
  auto state = std::make_unique<FakeState>();
  state->key = key.kind;
  state->beams = beams;
  const auto* vector = source.states.const_data_ptr<float>();
  for (const std::int64_t length : source.lengths) {
    state->hashes.insert(state->hashes.end(), beams, read_hash(vector));
    vector += length * info_.width;
  }
  return state;
}

StepOutput FakeModel::step(DecoderState& any_state, std::span<const TokenId> tokens) {
  auto& state = state_of<FakeState>(any_state);
  KNNSEQ_ASSERT(tokens.size() == state.hashes.size(), "a step takes one token a row");
  KNNSEQ_ASSERT(state.position < info_.target_positions, "the model has no more positions");
  ++state.position;
  StepOutput made{at::empty({state.rows(), info_.width}, at::kFloat),
                  at::empty({state.rows(), info_.vocab_size}, at::kFloat)};
  auto* query = made.queries.mutable_data_ptr<float>();
  auto* log_probs = made.log_probs.mutable_data_ptr<float>();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    state.hashes[i] = append(state.hashes[i], tokens[i]);
    write_vector(key_hash(state.hashes[i], state.key), query, info_.width);
    write_log_probs(state.hashes[i], options_, log_probs);
    query += info_.width;
    log_probs += info_.vocab_size;
  }
  return made;
}

void FakeModel::reorder(DecoderState& any_state, std::span<const std::int64_t> rows) {
  auto& state = state_of<FakeState>(any_state);
  const RowGroups groups = group_rows(rows, state.rows(), state.beams);
  std::vector<std::uint64_t> hashes;
  for (const std::int64_t row : rows) hashes.push_back(state.hashes[row]);
  state.hashes = std::move(hashes);
  state.beams = groups.beams;
}

}  // namespace knnseq::test
