// What a Hugging Face M2M100 or NLLB-200 directory's config.json and generation_config.json say.
#pragma once

#include <filesystem>

#include "core/files.hpp"
#include "model/families/model_config.hpp"

namespace knnseq::model {

/// Reads the parsed config.json ("model_type": "m2m_100") and, unless null, generation_config.json
/// of `folder`: pre-norm with closing norms, fairseq's sinusoidal positions, one table for both
/// sides and the output. Every key must be one that is honoured or known not to matter when
/// translating; the target language is the user's to choose, so a forced_bos_token_id is not
/// adopted. Throws InputError naming file and key.
ModelConfig read_m2m100_config(const std::filesystem::path& folder, const core::Json& config,
                               const core::Json& generation);

}  // namespace knnseq::model
