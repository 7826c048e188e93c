// What a finished stage says of itself: what it was made from, and what it made.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/files.hpp"

namespace knnseq::store {

inline constexpr int manifest_version = 4;

/// {"version", "stage", "inputs": {name: value …}, "content": {…}, "identity", "checksum"}.
/// `identity` is a fingerprint of inputs and content, without content's "files" (sizes) and "aside"
/// (what is there, but makes no difference to what the stage made); a later stage takes it as one
/// of its inputs. `checksum` covers all. Nothing holds times, ranks or paths, so that the same
/// inputs give the same bytes. Throws std::logic_error where a number is not finite.
core::Json make_manifest(const std::string& stage, const core::Json& inputs,
                         const core::Json& content);

/// Nothing where there is no file; throws core::InputError for a damaged one, another version, or a
/// count that cannot be one.
std::optional<core::Json> read_manifest(const std::filesystem::path& path);

/// The names of the inputs that differ, with both values: "key: was ffn_out, is ffn_in; …".
/// Empty where they are equal.
std::string describe_changes(const core::Json& before, const core::Json& now);

}  // namespace knnseq::store
