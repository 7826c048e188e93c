// Searches that a framework's figures were recorded of: beam.json, see
// tests/support/model_reference.py.
#pragma once

#include <vector>

#include <catch2/catch.hpp>

#include "core/files.hpp"
#include "search/beam_options.hpp"
#include "search/hypothesis.hpp"

namespace knnseq::search::testing {

/// The settings of one of its "cases".
inline BeamOptions options_of(const core::Json& one, model::KeySpec key = {}) {
  return {.beam = one.at("beam"),
          .length_penalty = one.at("length_penalty"),
          .max_length_a = one.at("max_length_a"),
          .max_length_b = one.at("max_length_b"),
          .nbest = one.at("nbest"),
          .key = key};
}

/// `expected`: a sentence's hypotheses, the best first.
inline void check_same(const std::vector<Hypothesis>& made, const core::Json& expected) {
  REQUIRE(made.size() == expected.size());
  for (std::size_t rank = 0; rank < made.size(); ++rank) {
    INFO("rank " << rank);
    CHECK(made[rank].tokens == expected[rank].at("tokens").get<std::vector<core::TokenId>>());
    CHECK(made[rank].score == Approx(expected[rank].at("score").get<double>()).margin(1e-4));
  }
}

}  // namespace knnseq::search::testing
