// What a finished stage says of itself: what it was made from, and what it made.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_field.hpp"

namespace knnseq::store {

/// Of everything in a stage's folder: its manifest, or its state.json until that is there, says
/// which version wrote it. docs/internals/files.md says what happens to earlier ones.
inline constexpr int manifest_version = 4;

/// A manifest that was read.
struct Manifest {
  std::filesystem::path file;
  std::string stage;     ///< the step that wrote it, as in "append-news-encode"
  core::Json inputs;     ///< {name: value …}
  core::Json content;    ///< {name: value …}
  std::string identity;  ///< a later stage takes it as one of its inputs

  /// Their fields, which throw core::InputError naming file and field where they are missing or of
  /// another type. Valid as long as this.
  core::JsonField input_fields() const { return {file.string(), inputs, "inputs"}; }
  core::JsonField content_fields() const { return {file.string(), content, "content"}; }
};

core::Json to_json(const Manifest& manifest);
/// What to_json() gave, read by another rank.
Manifest manifest_from(const core::Json& json);

/// {"version", "stage", "inputs": {name: value …}, "content": {…}, "identity", "checksum"}.
/// `identity` is a fingerprint of inputs and content, without content's "files" (sizes) and "aside"
/// (facts that do not affect what the stage made). `checksum` covers all. Nothing
/// holds times, ranks or paths, so that the same inputs give the same bytes. Throws
/// std::logic_error if a number is not finite.
core::Json make_manifest(const std::string& stage, const core::Json& inputs,
                         const core::Json& content);

/// What another version of this program has written, and this one does not read.
class OtherVersion : public core::InputError {
 public:
  /// `found`: the version that the file says.
  OtherVersion(const std::filesystem::path& file, const core::Json& found);
};

/// Throws OtherVersion unless it is manifest_version.
void require_version(const std::filesystem::path& file, const core::Json& found);

/// std::nullopt if there is no file; throws OtherVersion, or core::InputError for a damaged file or
/// an impossible count.
std::optional<Manifest> read_manifest(const std::filesystem::path& path);

/// The names of the inputs that differ, with both values: "key: was ffn_out, is ffn_in; …", or,
/// where these are fingerprints, what they are of: "source: corpus.de has changed". Empty if they
/// are equal.
std::string describe_changes(const core::Json& before, const core::Json& now);

}  // namespace knnseq::store
