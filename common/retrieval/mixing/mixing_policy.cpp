#include "retrieval/mixing/mixing_policy.hpp"

#include <cmath>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::retrieval {

namespace {

/// The config's λ, T and threshold for every query, and all neighbours that the search finds.
class FixedPolicy final : public MixingPolicy {
 public:
  explicit FixedPolicy(const MixingOptions& options)
      : mixing_{.lambda = {options.lambda},
                .temperature = {options.temperature},
                .threshold = options.threshold} {}

  Mixing decide(const MixingQueries&, std::span<const index::TopK>) const override {
    return mixing_;
  }

 private:
  Mixing mixing_;
};

}  // namespace

void MixingOptions::validate() const {
  if (!(temperature > 0) || !std::isfinite(temperature)) {
    throw core::InputError(fmt::format("temperature is {}, it must be positive", temperature));
  }
  if (!(lambda >= 0 && lambda <= 1)) {
    throw core::InputError(fmt::format("lambda is {}, it must be between 0 and 1", lambda));
  }
  if (threshold && !std::isfinite(*threshold)) {
    throw core::InputError(fmt::format("threshold is {}, it must be a finite number", *threshold));
  }
}

core::Json MixingOptions::inputs() const {
  return {{"temperature", temperature},
          {"lambda", lambda},
          {"threshold", threshold ? core::Json(*threshold) : core::Json()}};
}

std::unique_ptr<MixingPolicy> make_mixing_policy(const MixingOptions& options) {
  return std::make_unique<FixedPolicy>(options);
}

Mixing share_of_datastore(Mixing how, std::size_t datastore, std::size_t count) {
  const auto all = static_cast<float>(count);
  const auto later = static_cast<float>(count - 1 - datastore);
  const float share = how.lambda.all / all;
  how.lambda.all = share / (1.0f - share * later);
  if (how.lambda.each.defined()) {
    const at::Tensor shares = how.lambda.each / all;
    how.lambda.each = shares / (1.0f - shares * later);
  }
  return how;
}

}  // namespace knnseq::retrieval
