// Which entries train the codebook.
#pragma once

#include "comm/communicator.hpp"
#include "core/files.hpp"

namespace knnseq::stages {

/// A sample of the entries, as a config asks for it.
struct SampleSpec {
  std::int64_t size = 0;
  std::uint64_t seed = 1;
  bool operator==(const SampleSpec&) const = default;

  /// The same of a datastore of so many entries: no larger than it, and with the seed 0 where it is
  /// all of it.
  SampleSpec of(std::int64_t entries) const;
  /// Whether this sample has all entries of another; both of the same datastore.
  bool holds(const SampleSpec& other, std::int64_t entries) const;

  core::Json to_json() const;
  static SampleSpec from_json(const core::Json& json);
};

/// The sample is those `size` entries whose hashes of (seed, entry number) are smallest: uniform,
/// and the same for any number of shards and ranks; a smaller sample of the same seed is part of a
/// larger one. The hash is a bijection, so there are no ties.
struct SampleRule {
  std::uint64_t seed = 1;
  std::uint64_t largest_hash = 0;  ///< of the entries that belong to it

  bool contains(std::int64_t entry_number) const;
};

/// Finds the size-th smallest hash of the entries 0, 1, … by counting, 16 bits at a time, each rank
/// its even share of them. Where there are fewer entries than `size`, all belong to the sample.
/// Collective.
SampleRule make_sample_rule(comm::Communicator& comm, std::int64_t entries, const SampleSpec& spec);

}  // namespace knnseq::stages
