// What a server tells the page: what may be asked for, and sentences to begin with.
#pragma once

#include <filesystem>

#include "core/files.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// {"modes": those that can be opened, "policies": those of a request that does not name a network,
/// "lists": of the index, or null}. Reads manifests; throws core::InputError for a damaged one.
core::Json offered_settings(const std::filesystem::path& run_dir, const Options& options,
                            const DecodeOptions& decoding);

/// {"name": the first item of `decode:` that is translated, or null, "lines": [{"source",
/// "reference" or null}, …]}: at most 500 lines of its test set, without long and empty ones.
/// Throws core::InputError if its files are not those of its manifest.
core::Json example_lines(const std::filesystem::path& run_dir, const Options& options);

}  // namespace knnseq::stages
