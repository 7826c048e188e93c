#include "stages/sweep/sweep_row.hpp"

#include <fmt/format.h>

namespace knnseq::stages {

std::string share_name(std::int64_t share) {
  return share == 1 ? "all" : fmt::format("1/{}", share);
}

}  // namespace knnseq::stages
