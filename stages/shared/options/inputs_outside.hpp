// No input lies in the run directory, where it could be taken for something that we made.
#pragma once

#include <filesystem>

#include "config/config.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Whether a path leads into a folder, or to it, whatever links and dots it goes through.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder);

/// Notes every key of the config whose file or folder lies in `options.run_dir`, and every included
/// file that does, except for those that `tune` writes there. Reported by config.finish().
void note_inputs_in_run_dir(const config::Config& config, const Options& options);

}  // namespace knnseq::stages
