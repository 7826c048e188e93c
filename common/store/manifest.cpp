#include "store/manifest.hpp"

#include <algorithm>
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

/// What core::fingerprint() gives: of no use to people.
bool is_fingerprint(const core::Json& json) {
  constexpr std::size_t digits = 32;
  if (!json.is_string() || json.get_ref<const std::string&>().size() != digits) return false;
  return json.get_ref<const std::string&>().find_first_not_of("0123456789abcdef") ==
         std::string::npos;
}

/// A file's name with its fingerprint.
bool is_fingerprinted_file(const core::Json& json) {
  return json.is_array() && json.size() == 2 && json[0].is_string() && is_fingerprint(json[1]);
}

bool is_list_of(const core::Json& json, bool (*is_one)(const core::Json&)) {
  return json.is_array() && !json.empty() && std::all_of(json.begin(), json.end(), is_one);
}

std::string names_of_files(const core::Json& files) {
  std::string names;
  for (const auto& file : files) {
    names += (names.empty() ? "" : ", ") + file[0].get<std::string>();
  }
  return names;
}

/// A number as it was written in a config: many settings are kept as fp32.
std::string printed(const core::Json& json) {
  if (!json.is_number_float()) return json.dump();
  const auto value = json.get<double>();
  const auto single = static_cast<float>(value);
  return static_cast<double>(single) == value ? fmt::format("{}", single) : json.dump();
}

/// How an input differs: "was 5, is 8", or which of the files has changed.
std::string describe_change(const core::Json& was, const core::Json& is) {
  if (is_fingerprint(was) && is_fingerprint(is)) return "has changed";
  if (is_list_of(was, is_fingerprinted_file) && is_list_of(is, is_fingerprinted_file)) {
    const auto before = names_of_files(was);
    const auto now = names_of_files(is);
    if (before != now) return fmt::format("was {}, is {}", before, now);
    core::Json changed = core::Json::array();
    for (std::size_t i = 0; i < was.size(); ++i) {
      if (was[i] != is[i]) changed.push_back(was[i]);
    }
    return names_of_files(changed) + (changed.size() == 1 ? " has changed" : " have changed");
  }
  if (is_list_of(was, is_fingerprint) && is_list_of(is, is_fingerprint)) {
    if (was.size() != is.size()) return fmt::format("were {}, are {}", was.size(), is.size());
    std::size_t changed = 0;
    for (std::size_t i = 0; i < was.size(); ++i) changed += was[i] != is[i] ? 1 : 0;
    return fmt::format("{} of {} changed", changed, was.size());
  }
  const auto is_list = [](const core::Json& json) { return json.is_array(); };
  if (is_list_of(was, is_list) && is_list_of(is, is_list) && was.size() == is.size()) {
    std::string changes;  // those of each model of an ensemble, say
    for (std::size_t i = 0; i < was.size(); ++i) {
      if (was[i] == is[i]) continue;
      changes += (changes.empty() ? "" : ", ") + describe_change(was[i], is[i]);
    }
    return changes;
  }
  return fmt::format("was {}, is {}", printed(was), printed(is));
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
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", name, describe_change(was, is));
    }
  }
  return text;
}

}  // namespace knnseq::store
