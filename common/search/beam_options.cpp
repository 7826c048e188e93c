#include "search/beam_options.hpp"

#include <cmath>

#include "core/error.hpp"

namespace knnseq::search {

std::int64_t BeamOptions::greatest_length(std::int64_t source_tokens,
                                          std::int64_t positions) const {
  if (bound_by_positions(source_tokens, positions)) return positions - 1;
  return static_cast<std::int64_t>(
      std::floor(max_length_a * static_cast<double>(source_tokens) + max_length_b));
}

bool BeamOptions::bound_by_positions(std::int64_t source_tokens, std::int64_t positions) const {
  return max_length_a * static_cast<double>(source_tokens) + max_length_b >=
         static_cast<double>(positions - 1);
}

void BeamOptions::validate() const {
  const auto require = [](bool condition, const char* name, const char* message) {
    if (!condition) throw core::InputError(name, message);
  };
  require(beam >= 1, "beam", "must be at least 1");
  require(nbest >= 1 && nbest <= beam, "nbest", "must lie between 1 and beam");
  require(std::isfinite(length_penalty), "length_penalty", "must be a finite number");
  require(std::isfinite(max_length_a) && max_length_a >= 0.0, "max_length_a",
          "must not be negative");
  require(max_length_b >= 0, "max_length_b", "must not be negative");
}

}  // namespace knnseq::search
