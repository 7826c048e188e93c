// How a stage went: its times, items and memory, reduced over the ranks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "runtime/stage_context.hpp"

namespace knnseq::runtime {

/// What one rank did in a stage.
struct StageWork {
  std::string unit = "items";  ///< what `items` counts, as in "entries"
  std::int64_t items = 0;
  std::int64_t bytes = 0;  ///< written
  /// Spent on the items themselves, if opening files and models is not to be counted; 0: all of
  /// the stage was.
  double seconds = 0;
  core::Json details = nullptr;  ///< more for the record, of all ranks; rank 0's
};

/// The run of a stage that finished it.
struct StageSession {
  double seconds = 0;
  bool resumed = false;  ///< an earlier run had begun the work
  std::string manifest;  ///< identity of the manifest that it wrote; rank 0's
};

/// Reduces seconds and peak memory to min/mean/max and items and bytes to sums, writes
/// run_dir/records/<stage>.json, with the job's provenance, and the config it was made with as
/// <stage>.yaml, and logs the result. Collective.
void record_stage(StageContext& context, const std::string& stage, const StageWork& work,
                  const StageSession& session);

/// What record_stage() wrote, null if the stage has not been recorded. Throws core::InputError if
/// the file is damaged.
core::Json stage_record(const std::filesystem::path& run_dir, const std::string& stage);

/// Items a second of a record; none without a record or items.
std::optional<double> recorded_rate(const core::Json& record);

/// The table of all stages recorded in the run directory, one line each, ready to print.
std::string stage_table(const std::filesystem::path& run_dir,
                        const std::vector<std::string>& stages);

}  // namespace knnseq::runtime
