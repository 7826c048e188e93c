// One check of a run directory.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "stages/verify/plan_verification.hpp"

namespace knnseq::stages {

/// Reads what the check is about and returns one line for each file or range that is damaged,
/// missing or cannot be read. Not collective.
std::vector<std::string> run_check(const std::filesystem::path& run_dir, const Check& check);

}  // namespace knnseq::stages
