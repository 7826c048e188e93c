// Manifests of finished stages, their fields looked at.
#pragma once

#include <filesystem>
#include <string>

#include "core/files.hpp"

namespace knnseq::stages {

/// As runtime::require_manifest(). Besides, throws core::InputError naming the field where one that
/// a later stage takes from this stage's manifest is missing, of another type or out of range: a
/// checksum only says that a manifest is as it was written, not that a stage has written it.
core::Json finished_manifest(const std::filesystem::path& folder, const std::string& stage,
                             const std::string& command);

}  // namespace knnseq::stages
