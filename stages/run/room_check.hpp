// Whether disk and memory have room for what the stages of run will make.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/run/problems.hpp"
#include "stages/shared/plan/needs.hpp"

namespace knnseq::stages {

/// Bytes that the folders of run will take beyond what lies there already: unfinished work is gone
/// on with, and finished work stays.
std::int64_t missing_bytes(const Options& options, const Needs& needs);

/// Notes whether the file system of run_dir has fewer bytes than are missing. On one rank; returns
/// "12.3 GiB of 500.0 GiB free".
std::string check_disk(const Options& options, const Needs& needs, Problems& problems);

/// Notes the hosts that have less memory than their ranks will take at once in the stage that takes
/// most. Collective; returns "up to 3.1 GiB a rank".
std::string check_memory(runtime::StageContext& context, const Options& options, const Needs& needs,
                         Problems& problems);

}  // namespace knnseq::stages
