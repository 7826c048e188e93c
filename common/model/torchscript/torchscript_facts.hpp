// What a TorchScript archive says of its model in its extra file "knnseq.json".
#pragma once

#include <filesystem>
#include <vector>

#include "model/base/model_info.hpp"

namespace knnseq::model {

/// Reads the extra file without loading the script; docs/torchscript.md has its keys. Throws
/// InputError naming the file, and the key if one is at fault.
ModelInfo read_torchscript_facts(const std::filesystem::path& file,
                                 const std::vector<TokenId>& forced_tokens);

}  // namespace knnseq::model
