#include "stages/shared/options/sample_spec.hpp"

namespace knnseq::stages {

const char* to_string(SampleUnit unit) { return unit == SampleUnit::batch ? "batch" : "entry"; }

SampleUnit parse_sample_unit(const std::string& name) {
  return name == to_string(SampleUnit::batch) ? SampleUnit::batch : SampleUnit::entry;
}

SampleSpec SampleSpec::of(std::int64_t entries) const {
  return size < entries ? *this : SampleSpec{entries, 0, SampleUnit::entry};
}

bool SampleSpec::holds(const SampleSpec& other, std::int64_t entries) const {
  return size >= entries || (seed == other.seed && unit == other.unit && size >= other.size);
}

core::Json SampleSpec::to_json() const {
  return {{"size", size}, {"seed", seed}, {"unit", to_string(unit)}};
}

SampleSpec SampleSpec::from_json(const core::Json& json) {
  return {json.at("size").get<std::int64_t>(), json.at("seed").get<std::uint64_t>(),
          parse_sample_unit(json.at("unit").get<std::string>())};
}

}  // namespace knnseq::stages
