// A sample of the entries, as a config asks for it.
#pragma once

#include <cstdint>
#include <string>

#include "core/enum_names.hpp"
#include "core/files.hpp"

namespace knnseq::stages {

/// What is drawn: entries, or whole batches, so that few of them need be encoded for the sample.
enum class SampleUnit { entry, batch };

constexpr auto names_of(SampleUnit) {
  return core::enum_names<SampleUnit>({{SampleUnit::entry, "entry"}, {SampleUnit::batch, "batch"}});
}

struct SampleSpec {
  std::int64_t size = 0;
  std::uint64_t seed = 1;
  SampleUnit unit = SampleUnit::entry;
  bool operator==(const SampleSpec&) const = default;

  /// The same for a datastore of `entries` entries: no larger than that, and with seed 0 and unit
  /// entry if it is all of them.
  SampleSpec of(std::int64_t entries) const;
  /// Whether this sample has all entries of another; both of the same datastore.
  bool holds(const SampleSpec& other, std::int64_t entries) const;

  core::Json to_json() const;
  static SampleSpec from_json(const core::Json& json);
};

}  // namespace knnseq::stages
