// What the folders of a run will hold.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "stages/shared/options/options.hpp"
#include "stages/shared/plan/needs.hpp"

namespace knnseq::stages {

/// A folder of the run directory, the stage that makes it, and the bytes of its files.
struct PlannedFolder {
  std::string stage;
  std::filesystem::path path;
  std::int64_t bytes = 0;
};

/// Of the stages partition to subset, those of append: in the first corpus's. Within 2 % of what is
/// written; `prune`'s is the most it can be.
std::vector<PlannedFolder> plan_folders(const Options& options, const Needs& needs);

/// Of the index alone: codes, ids and graph of all entries, without what each shard repeats.
std::int64_t index_bytes(const Needs& needs);
std::int64_t index_bytes(const index::IndexSpec& spec, std::int64_t entries);

/// What every shard's file of an index repeats, so that faiss can read it: rotation, coarse
/// centroids, product quantiser, sizes of the lists.
std::int64_t codebook_bytes(const index::IndexSpec& spec);

/// Rows of the training sample.
std::int64_t planned_sample(const Options& options, const Needs& needs);

}  // namespace knnseq::stages
