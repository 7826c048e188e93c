// Opens TorchScript archives; for the .cpp files of this module.
#pragma once

#include <filesystem>

#include <torch/csrc/jit/api/module.h>

namespace knnseq::model {

/// Throws InputError where there is no regular file, or it begins like something else than an
/// archive.
void require_archive(const std::filesystem::path& file);

/// The script on the CPU, for inference. Throws InputError where the file is damaged or no
/// TorchScript archive, or a parameter is not finite. −∞ passes, as masks have it, and so do
/// buffers and constants, of which nobody knows what they are for.
torch::jit::Module load_script(const std::filesystem::path& file);

}  // namespace knnseq::model
