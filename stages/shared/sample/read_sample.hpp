// The training sample, from the shards to the ranks that train on it.
#pragma once

#include <functional>

#include "index/sample/sample_blocks.hpp"
#include "stages/shared/sample/sample_rows.hpp"

namespace knnseq::stages {

/// Finds the rows of the wanted sample (see find_sample_rows) and deals them to the ranks (see
/// distribute_sample_rows). `keep`, if given: only the rows of entries for which it holds.
/// Collective.
index::SampleBlocks read_sample(runtime::StageContext& context, const SampledDatastore& datastore,
                                const SampleSpec& wanted, std::int64_t width,
                                const std::function<bool(std::int64_t entry)>& keep = {});

/// A datastore that is sampled together with others.
struct SamplePart {
  SampledDatastore datastore;
  std::int64_t first_entry = 0;  ///< its entries are numbered from here among all
};

/// A sample of several datastores, of each in proportion to its entries, as `wanted` says of all of
/// them together; in fp32 if their keys are stored in several types. Collective.
index::SampleBlocks read_joint_sample(runtime::StageContext& context,
                                      const std::vector<SamplePart>& parts,
                                      const SampleSpec& wanted, std::int64_t width);

/// What keys of all these have: their type, or fp32 if they have several.
KeyType joint_type(const std::vector<SamplePart>& parts);

/// How many of a sample's `size` rows fall to each of several datastores with so many entries.
std::vector<std::int64_t> divide_sample(std::int64_t size,
                                        const std::vector<std::int64_t>& entries);

}  // namespace knnseq::stages
