// What a Hugging Face Marian directory's config.json and generation_config.json say.
#pragma once

#include <filesystem>

#include "core/files.hpp"
#include "model/model_info.hpp"
#include "model/transformer_config.hpp"

namespace knnseq::model {

struct MarianConfig {
  TransformerConfig transformer;
  ModelInfo info;
  std::int64_t source_vocab_size = 0;
  bool shared_embeddings = true;  ///< one table for both sides
  bool tied_output = true;        ///< the output projection is the decoder's table
};

/// Reads the parsed config.json and, unless null, generation_config.json of `folder`. Every key
/// must be one that is honoured or known not to matter when translating. Throws InputError naming
/// file and key.
MarianConfig read_marian_config(const std::filesystem::path& folder, const core::Json& config,
                                const core::Json& generation);

}  // namespace knnseq::model
