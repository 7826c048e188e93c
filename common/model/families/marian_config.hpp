// What a Hugging Face Marian directory's config.json and generation_config.json say.
#pragma once

#include "model/families/model_config.hpp"

namespace knnseq::model {

/// Reads the parsed config.json and, unless null, generation_config.json of `folder`. Every key
/// must be one that is honoured or known not to matter when translating. Throws InputError naming
/// file and key.
ModelConfig read_marian_config(const std::filesystem::path& folder, const core::Json& config,
                               const core::Json& generation);

}  // namespace knnseq::model
