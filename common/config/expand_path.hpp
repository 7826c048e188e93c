// Paths as people write them.
#pragma once

#include <string>

namespace knnseq::config {

/// `~` at the begin of a path becomes the home folder, and `${NAME}` anywhere the environment
/// variable's value. Throws core::InputError if there is no such value, and for `~name`.
std::string expand_path(const std::string& path);

}  // namespace knnseq::config
