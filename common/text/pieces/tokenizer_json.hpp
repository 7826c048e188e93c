// Reading the JSON files that describe a Hugging Face tokeniser. Private to this module.
#pragma once

#include <string>

#include "core/files.hpp"

namespace knnseq::text {

// All throw InputError naming file and key.

/// The object in a file; an empty one if there is no such file.
core::Json read_object(const core::fs::path& path);

/// Sets `value` if the key is there and not null.
void read_flag(const core::Json& json, const core::fs::path& path, const char* key, bool& value);

/// A token is a string, or an object with its text under "content".
std::string token_text(const core::Json& value, const core::fs::path& path, const std::string& key);

/// Refuses an "sp_model_kwargs" that is not empty: SentencePiece's sampling.
void refuse_sampling(const core::Json& json, const core::fs::path& path);

}  // namespace knnseq::text
