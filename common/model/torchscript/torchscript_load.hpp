// Opens TorchScript archives; for the .cpp files of this module.
#pragma once

#include <filesystem>

#include <torch/csrc/jit/api/module.h>

namespace knnseq::model {

/// Throws InputError unless this is a regular file that begins like an
/// archive.
void require_archive(const std::filesystem::path& file);

/// The script on the CPU, for inference. Throws InputError if the file is damaged or not a
/// TorchScript archive, or a parameter is not finite. −∞ passes, since masks hold it, and so do
/// buffers and constants, since nothing says what they are for.
torch::jit::Module load_script(const std::filesystem::path& file);

}  // namespace knnseq::model
