// Refuses YAML that a config must not hold: aliases that make it huge or endless, and values that
// are not text. Private to this module.
#pragma once

#include <string>

#include <yaml-cpp/yaml.h>

namespace knnseq::config {

/// Throws core::InputError if YAML is nested deeper than 64 maps and lists or has more than 100,000
/// nodes. Nodes of aliases count each time they are reached, so a map or list that contains itself
/// is refused and all else can be traversed. Throws it too if a value holds control characters
/// (other than tab and line feed) or is not UTF-8. `name`: of the file.
void require_tree(const YAML::Node& root, const std::string& name);

}  // namespace knnseq::config
