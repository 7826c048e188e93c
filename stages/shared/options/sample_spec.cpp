#include "stages/shared/options/sample_spec.hpp"

#include "core/error.hpp"

namespace knnseq::stages {

namespace {

SampleUnit unit_from(const core::Json& name) {
  const auto unit = core::value_named<SampleUnit>(name.get_ref<const std::string&>());
  if (unit) return *unit;
  throw core::InputError("unit", name.dump() + " is neither entry nor batch");
}

}  // namespace

SampleSpec SampleSpec::of(std::int64_t entries) const {
  return size < entries ? *this : SampleSpec{entries, 0, SampleUnit::entry};
}

bool SampleSpec::holds(const SampleSpec& other, std::int64_t entries) const {
  return size >= entries || (seed == other.seed && unit == other.unit && size >= other.size);
}

core::Json SampleSpec::to_json() const {
  return {{"size", size}, {"seed", seed}, {"unit", core::name_of(unit)}};
}

SampleSpec SampleSpec::from_json(const core::Json& json) {
  return {json.at("size").get<std::int64_t>(), json.at("seed").get<std::uint64_t>(),
          unit_from(json.at("unit"))};
}

}  // namespace knnseq::stages
