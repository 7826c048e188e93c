// What a test or benchmark measured, for people and for scripts/gpu_check.py.
#pragma once

#include <string>

#include <fmt/format.h>

namespace knnseq::test {

/// Prints a line that scripts/gpu_check.py reads.
inline void print_figure(const std::string& name, double value, const std::string& unit = "") {
  fmt::print("figure {} = {:.6g} {}\n", name, value, unit);
}

}  // namespace knnseq::test
