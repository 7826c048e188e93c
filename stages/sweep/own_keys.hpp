// A pass over the keys that this rank is to handle.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include <ATen/ATen.h>

#include "core/files.hpp"
#include "core/types.hpp"
#include "runtime/shard_team.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/sample/sample_rows.hpp"

namespace knnseq::stages {

/// One unit of a shard.
struct KeyUnit {
  at::Tensor keys;                   ///< [n, width], as they are stored
  at::Tensor ids;                    ///< int64 [n], packed entry ids
  std::vector<core::Range> batches;  ///< rows of one batch each: what shares a matrix product
};

/// The datastore whose keys are read.
struct KeySource {
  SampledDatastore datastore;  ///< which holds them
  std::int64_t vocab_size = 0;
  SampleSpec sample;  ///< the one to train on
};

/// Calls `visit` for the units of the shards of this rank's team, each unit on one member, and
/// shows the progress of all ranks. Throws core::InputError on the rank that finds a damaged unit.
/// Collective.
void visit_own_keys(runtime::StageContext& context, const KeySource& source,
                    const runtime::ShardTeam& team,
                    const std::function<void(const KeyUnit&)>& visit);

}  // namespace knnseq::stages
