// Beam search written slowly, straight from its rules: one sentence, whole prefixes, full sorts.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <tuple>
#include <vector>

#include <ATen/ATen.h>

#include "core/random.hpp"
#include "model/base/translation_model.hpp"
#include "search/beam_options.hpp"
#include "search/hypothesis.hpp"

namespace knnseq::search::testing {

using Tokens = std::vector<core::TokenId>;

/// Log-probs [V] of the token that follows `prefix` (without the start token).
using NextToken = std::function<std::vector<float>(const Tokens& prefix)>;

/// The model's own, by teacher forcing the whole prefix.
inline NextToken next_token_of(model::TranslationModel& model, const Tokens& source) {
  return [&model, source](const Tokens& prefix) {
    const auto given = std::ssize(model.info().forced_tokens);
    Tokens target(prefix.begin() + given, prefix.end());
    target.push_back(model.info().eos);
    const at::Tensor log_probs =
        model.teacher_force({&source, 1}, {&target, 1}, {model::KeyKind::ffn_in, false, true})
            .log_probs;
    const auto* last = log_probs.const_data_ptr<float>() + log_probs.numel() - log_probs.size(1);
    return std::vector<float>(last, last + log_probs.size(1));
  };
}

inline std::vector<Hypothesis> plain_search(const model::ModelInfo& info, std::size_t source_tokens,
                                            const NextToken& next, const BeamOptions& options) {
  struct Partial {
    Tokens tokens;
    std::vector<float> log_probs;
    float score = 0.0f;
  };
  struct Extension {
    float score;
    std::size_t beam;
    core::TokenId token;
    float log_prob;
  };
  const auto beam = static_cast<std::size_t>(options.beam);
  const auto longest = std::min<std::int64_t>(
      static_cast<std::int64_t>(options.max_length_a * static_cast<double>(source_tokens)) +
          options.max_length_b,
      info.target_positions - 1);
  const auto given = std::ssize(info.forced_tokens);
  std::vector<Partial> partials{
      {info.forced_tokens, std::vector<float>(info.forced_tokens.size())}};
  std::vector<Hypothesis> done;
  for (std::int64_t step = given; step <= longest && done.size() < beam && !partials.empty();
       ++step) {
    std::vector<Extension> extensions;
    for (std::size_t b = 0; b < partials.size(); ++b) {
      const std::vector<float> log_probs = next(partials[b].tokens);
      for (core::TokenId token = 0; token < info.vocab_size; ++token) {
        const bool bad = token == info.pad || std::ranges::count(info.bad_tokens, token) > 0 ||
                         std::ranges::count(options.never, token) > 0;
        const bool eos = token == info.eos;
        const bool allowed = step == longest ? eos : !bad && !(eos && step == 0);
        const float log_prob = log_probs[token];
        if (!allowed || !std::isfinite(log_prob)) continue;
        extensions.push_back({partials[b].score + log_prob, b, token, log_prob});
      }
    }
    std::ranges::sort(extensions, [](const Extension& x, const Extension& y) {
      return std::tuple(-x.score, x.beam, x.token) < std::tuple(-y.score, y.beam, y.token);
    });
    if (extensions.size() > 2 * beam) extensions.resize(2 * beam);
    std::vector<Partial> following;
    for (std::size_t rank = 0; rank < extensions.size(); ++rank) {
      const Extension& extension = extensions[rank];
      Partial grown = partials[extension.beam];
      grown.tokens.push_back(extension.token);
      grown.log_probs.push_back(extension.log_prob);
      grown.score = extension.score;
      if (extension.token != info.eos) {
        if (following.size() < beam) following.push_back(grown);
      } else if (rank < beam && done.size() < beam) {
        const auto length = static_cast<double>(grown.tokens.size());
        const auto divisor = static_cast<float>(std::pow(length, options.length_penalty));
        done.push_back({grown.tokens, grown.score / divisor, grown.log_probs});
      }
    }
    partials = following;
  }
  std::ranges::stable_sort(done, std::ranges::greater(), &Hypothesis::score);
  if (done.size() > static_cast<std::size_t>(options.nbest)) {
    done.resize(options.nbest);
  }
  return done;
}

inline bool same(const std::vector<Hypothesis>& a, const std::vector<Hypothesis>& b) {
  return std::ranges::equal(a, b, [](const Hypothesis& x, const Hypothesis& y) {
    return x.tokens == y.tokens && x.score == y.score && x.token_log_probs == y.token_log_probs;
  });
}

/// Random sentences over the fake model's words, EOS at the end.
inline std::vector<Tokens> random_sources(std::uint64_t seed, std::size_t count,
                                          std::int64_t vocab_size) {
  core::Random random(seed);
  std::vector<Tokens> sources(count);
  for (Tokens& source : sources) {
    const auto length = random.below(8);
    for (std::uint64_t i = 0; i < length; ++i) {
      source.push_back(
          static_cast<core::TokenId>(1 + random.below(static_cast<std::uint64_t>(vocab_size - 2))));
    }
    source.push_back(0);
  }
  return sources;
}

}  // namespace knnseq::search::testing
