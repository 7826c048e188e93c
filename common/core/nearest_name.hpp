// What somebody may have meant.
#pragma once

#include <span>
#include <string>

namespace knnseq::core {

/// The name with the fewest letters put in, left out or exchanged (Levenshtein distance); the first
/// of several; empty if there are none.
std::string nearest_name(const std::string& word, std::span<const std::string> names);

}  // namespace knnseq::core
