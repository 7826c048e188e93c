// What the programs that measure share.
#pragma once

#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::benchmarks {

/// A program's main: `run` gets the arguments, of which there must be `least`; `usage` begins with
/// the program's name.
inline int run_program(int argc, char** argv, std::size_t least, const char* usage,
                       void (*run)(const std::vector<std::string>& arguments)) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < least) {
    fmt::print(stderr, "usage: {}\n", usage);
    return 2;
  }
  try {
    run(arguments);
    return 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}: {}\n", std::filesystem::path(argv[0]).filename().string(),
               core::first_line(e.what()));
    return 1;
  }
}

}  // namespace knnseq::benchmarks
