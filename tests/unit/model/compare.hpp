// What tests against a framework's figures have in common.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "demo_model.hpp"
#include "model/base/translation_model.hpp"

namespace knnseq::model::testing {

/// ‖own − exact‖ / ‖exact‖ < 1e-5; `name` says which tensor in failures.
inline void check_close(const std::string& name, const at::Tensor& own, const at::Tensor& exact) {
  REQUIRE(own.sizes() == exact.sizes());
  const double error = relative_error(own, exact);
  INFO(name << ": relative error " << error);
  CHECK(error < 1e-5);
}

/// The best tokens of every position, `ids` and `values` [rows, n]; if ids differ, the log-probs
/// [rows, V] must be ties.
inline void compare_best(const at::Tensor& log_probs, const at::Tensor& ids,
                         const at::Tensor& values) {
  const auto [own_values, own_ids] = log_probs.topk(values.size(1), -1);
  const double largest = (own_values - values).abs().max().item<double>();
  INFO("largest difference of a best log-prob " << largest);
  CHECK(largest < 1e-4);
  const at::Tensor at_their_ids = log_probs.gather(1, ids.to(at::kLong));
  CHECK((at_their_ids - values).abs().max().item<double>() < 1e-4);
  const std::int64_t others = (own_ids != ids).sum().item<std::int64_t>();
  INFO(others << " of " << ids.numel() << " ids differ, as ties");
  CHECK(others < ids.numel() / 1000);
}

/// The most probable continuation, step by step and all sentences at once: forced tokens first,
/// never pad or bad tokens, EOS not as the very first; until EOS or `longest` tokens.
inline std::vector<std::vector<TokenId>> greedy(TranslationModel& model, Sentences sources,
                                                std::size_t longest) {
  const ModelInfo& info = model.info();
  const auto state = model.start(model.encode(sources), 1, KeyKind::ffn_in);
  std::vector<std::vector<TokenId>> made(sources.size());
  std::vector<std::size_t> live(sources.size());
  for (std::size_t i = 0; i < live.size(); ++i) live[i] = i;
  for (std::size_t t = 0; t < longest && !live.empty(); ++t) {
    std::vector<TokenId> inputs;
    for (const std::size_t i : live) {
      inputs.push_back(t == 0 ? info.decoder_start : made[i].back());
    }
    at::Tensor scores = model.step(*state, inputs).log_probs;
    scores.select(1, info.pad).fill_(-INFINITY);
    for (const TokenId token : info.bad_tokens) scores.select(1, token).fill_(-INFINITY);
    if (t == 0) scores.select(1, info.eos).fill_(-INFINITY);
    if (t < info.forced_tokens.size()) scores.select(1, info.forced_tokens[t]).fill_(INFINITY);
    const at::Tensor best = scores.argmax(1).cpu();
    std::vector<std::int64_t> keep;
    std::vector<std::size_t> still;
    for (std::size_t row = 0; row < live.size(); ++row) {
      const auto token = static_cast<TokenId>(best.const_data_ptr<std::int64_t>()[row]);
      made[live[row]].push_back(token);
      if (token == info.eos) continue;
      keep.push_back(static_cast<std::int64_t>(row));
      still.push_back(live[row]);
    }
    model.reorder(*state, keep);
    live = still;
  }
  return made;
}

}  // namespace knnseq::model::testing
