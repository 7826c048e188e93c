// What a TorchScript archive says of its model in its extra file "knnseq.json".
#pragma once

#include <filesystem>
#include <vector>

#include "model/key_kind.hpp"
#include "model/model_info.hpp"

namespace knnseq::model {

struct TorchscriptFacts {
  ModelInfo info;
  std::int64_t source_vocab_size = 0;
  KeySpec key;  ///< the only one the script returns; its layer is resolved
};

/// Reads the extra file without loading the script; docs/torchscript.md has its keys. Throws
/// InputError naming the file, and the key where one is at fault.
TorchscriptFacts read_torchscript_facts(const std::filesystem::path& file,
                                        const std::vector<TokenId>& forced_tokens);

}  // namespace knnseq::model
