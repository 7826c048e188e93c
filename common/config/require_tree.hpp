// What YAML allows and a config must not hold: aliases can make it larger than its text, or
// endless, and values can be no text. Private to this module.
#pragma once

#include <string>

#include <yaml-cpp/yaml.h>

namespace knnseq::config {

/// Throws core::InputError where YAML is nested deeper than 64 maps and lists or has more than
/// 100,000 nodes, those of aliases counted each time they are reached: so a map or list that
/// holds itself is refused, and all else can be walked through. Likewise where a value holds
/// control characters (other than tab and line feed) or is not UTF-8. `name`: of the file.
void require_tree(const YAML::Node& root, const std::string& name);

}  // namespace knnseq::config
