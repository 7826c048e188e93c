// What Config and Section share: the parsed YAML, the problems found, the values read.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "config/config.hpp"

namespace knnseq::config {

/// The largest file; require_tree.hpp limits its values to 100,000.
inline constexpr std::int64_t most_config_bytes = std::int64_t{16} << 20;

struct SectionNode;

/// A key that was asked for, and its resolved value.
struct ResolvedKey {
  std::string key;
  std::variant<std::string, std::vector<std::string>, std::shared_ptr<SectionNode>,
               std::vector<std::shared_ptr<SectionNode>>>
      value;
  std::string problem = {};  ///< the first that was noted
  core::Json schema = {};    ///< what it may be, as JSON schema
};

struct SectionNode {
  YAML::Node yaml;   ///< a map, or null if the section is missing
  std::string path;  ///< "knn." for the keys of the map under knn
  std::vector<ResolvedKey> known;

  /// The entry for a key, made on first use.
  ResolvedKey& resolved(const std::string& key);
};

/// A file that the configuration was read from.
struct ConfigFile {
  std::string name;
  YAML::Node tree;
};

struct ConfigState {
  std::string file;  ///< the one that was asked for
  /// That file, whose tree holds all keys in the end, then the files it includes.
  std::vector<ConfigFile> files;
  std::shared_ptr<SectionNode> root;
  std::vector<std::string> problems;
  std::vector<std::string> notices;  ///< of values that files under `tuned` have replaced
  /// What was given to --set, and the values that stand in the tree for it.
  std::vector<std::pair<std::string, YAML::Node>> overrides;

  /// "file:line" of a node; "--set key=value" for what came from the command line.
  std::string place(const YAML::Node& node) const;
  void problem(const YAML::Node& node, const std::string& message);
};

/// Parses the text, merges in the files under its keys `include` and `tuned` (relative to the
/// working directory, as all paths) and applies the overrides. Duplicate keys are noted as
/// problems, also if they are in two files; but values under `tuned` take the place of others,
/// which is told. Throws core::InputError if a file is missing or is not YAML.
std::shared_ptr<ConfigState> parse_yaml(const std::string& text, const std::string& name,
                                        const std::vector<std::string>& overrides);

/// Notes every key of the section, and of those below it, that nobody asked for.
void note_unknown_keys(ConfigState& state, const SectionNode& section);

/// As Config::known().
std::vector<KnownKey> known_keys(const SectionNode& root);

/// The values read, as YAML.
std::string emit(const SectionNode& root);
/// The same, each with where it comes from in a comment.
std::string emit_with_origins(const ConfigState& state);

}  // namespace knnseq::config
