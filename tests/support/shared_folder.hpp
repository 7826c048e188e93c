// A folder that all ranks of an MPI test share.
#pragma once

#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include "support/mpi_main.hpp"

namespace knnseq::test {

/// The same folder on all ranks, empty; for the test to remove. Collective.
inline std::filesystem::path shared_folder(const std::string& name) {
  const auto path = world().broadcast_string(
      (std::filesystem::temp_directory_path() / fmt::format("knnseq-{}-{}", name, ::getpid()))
          .string());
  if (world().is_root()) {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  world().barrier();
  return path;
}

}  // namespace knnseq::test
