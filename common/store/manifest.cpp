#include "store/manifest.hpp"

#include <limits>
#include <set>

#include <fmt/format.h>

#include "core/hash.hpp"
#include "store/json_numbers.hpp"
#include "store/stored_ranges.hpp"

namespace knnseq::store {

namespace {

/// Fingerprint of all that makes a difference.
core::Json identity_of(core::Json manifest) {
  for (const char* name : {"identity", "checksum"}) manifest.erase(name);
  for (const char* name : {"files", "aside"}) manifest["content"].erase(name);
  return core::fingerprint(manifest.dump());
}

/// Whether all that readers rely on is there.
bool has_all_parts(const core::Json& manifest) {
  const auto has = [&](const char* name, auto is_right) {
    return manifest.contains(name) && (manifest[name].*is_right)();
  };
  return manifest.is_object() && manifest.contains("version") &&
         has("identity", &core::Json::is_string) && has("stage", &core::Json::is_string) &&
         has("inputs", &core::Json::is_object) && has("content", &core::Json::is_object);
}

/// Checks names that become paths, and the facts about these files.
void require_files(const core::JsonField& content) {
  const auto require_names = [&](const char* field) {
    for (const auto& [name, facts] : content.at(field).members()) {
      if (!core::is_file_name(name)) {
        content.at(field).refuse(fmt::format("names '{}', which is not in the folder", name));
      }
    }
  };
  if (content.has("files")) {
    require_names("files");
    for (const auto& [name, facts] : content.at("files").members()) {
      facts.at("bytes").number(0, std::numeric_limits<std::int64_t>::max());
      if (facts.has("fingerprint")) facts.at("fingerprint").text();
    }
  }
  if (!content.has("shards")) return;
  require_names("shards");
  for (const auto& [name, facts] : content.at("shards").members()) {
    if (facts.is_object()) require_shard(facts);
  }
}

core::Json checksum_of(core::Json manifest) {
  manifest.erase("checksum");
  return core::fingerprint(manifest.dump());
}

}  // namespace

core::Json make_manifest(const std::string& stage, const core::Json& inputs,
                         const core::Json& content) {
  core::Json manifest = {
      {"version", manifest_version}, {"stage", stage}, {"inputs", inputs}, {"content", content}};
  require_finite(manifest);
  manifest["identity"] = identity_of(manifest);
  manifest["checksum"] = checksum_of(manifest);
  return manifest;
}

core::Json to_json(const Manifest& manifest) {
  return {{"file", manifest.file.string()},
          {"stage", manifest.stage},
          {"inputs", manifest.inputs},
          {"content", manifest.content},
          {"identity", manifest.identity}};
}

Manifest manifest_from(const core::Json& json) {
  return {json.at("file").get<std::string>(), json.at("stage"), json.at("inputs"),
          json.at("content"), json.at("identity")};
}

OtherVersion::OtherVersion(const std::filesystem::path& file, const core::Json& found)
    : InputError(file, fmt::format("has version {}; this knnseq reads version {}", found.dump(),
                                   manifest_version)) {}

void require_version(const std::filesystem::path& file, const core::Json& found) {
  if (found != manifest_version) throw OtherVersion(file, found);
}

std::optional<Manifest> read_manifest(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const core::Json manifest = core::read_json(path);
  if (!has_all_parts(manifest)) {
    throw core::InputError(path, "is not a manifest of knnseq");
  }
  require_version(path, manifest["version"]);
  if (manifest.value("checksum", core::Json()) != checksum_of(manifest)) {
    throw core::InputError(path, "is damaged (its content does not match its checksum)");
  }
  check_counts(manifest, path);
  require_files({path, manifest["content"], "content"});
  return Manifest{path, manifest["stage"], manifest["inputs"], manifest["content"],
                  manifest["identity"]};
}

std::string describe_changes(const core::Json& before, const core::Json& now) {
  std::set<std::string> names;
  for (const auto& [name, value] : before.items()) names.insert(name);
  for (const auto& [name, value] : now.items()) names.insert(name);
  std::string text;
  for (const auto& name : names) {
    const core::Json was = before.value(name, core::Json());
    const core::Json is = now.value(name, core::Json());
    if (was == is) continue;
    if (was.is_object() && is.is_object()) {
      text += fmt::format("{}{} ({})", text.empty() ? "" : "; ", name, describe_changes(was, is));
    } else {
      text +=
          fmt::format("{}{}: was {}, is {}", text.empty() ? "" : "; ", name, was.dump(), is.dump());
    }
  }
  return text;
}

}  // namespace knnseq::store
