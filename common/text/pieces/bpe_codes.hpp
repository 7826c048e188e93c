// The merges of a BPE codes file. Private to this module.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace knnseq::text {

/// Views into the content that it was parsed from.
struct BpeCodes {
  struct Merge {
    std::string_view left;
    std::string_view right;
  };
  bool separate_end = false;  ///< "</w>" starts as a symbol of its own, not on the last character
  std::vector<Merge> merges;  ///< the first is applied first
};

/// Reads the content of a codes file of subword-nmt ("left right", with a line "#version: 0.2", or
/// "#version: 0.1" or none if the end is separate) or of fastBPE ("left right count").
/// `path` names it in errors. Throws InputError naming it and the line that is malformed.
BpeCodes parse_bpe_codes(std::string_view content, const std::filesystem::path& path);

}  // namespace knnseq::text
