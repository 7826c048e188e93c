// What the config.json says that scripts/import_fairseq.py writes.
#pragma once

#include <filesystem>

#include "core/files.hpp"
#include "model/families/model_config.hpp"

namespace knnseq::model {

/// Reads the parsed config.json of `folder`, whose keys are fairseq's options. There is no
/// generation_config.json: where one lies there all the same, it is refused. Throws InputError
/// naming file and key.
ModelConfig read_fairseq_config(const std::filesystem::path& folder, const core::Json& config,
                                const core::Json& generation);

}  // namespace knnseq::model
