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

}  // namespace knnseq::stages
