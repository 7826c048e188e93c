// A loop shared by the threads of this rank.
#pragma once

#include <cstdint>
#include <functional>

#include "core/types.hpp"

namespace knnseq::index {

/// Calls body(0) … body(count − 1), each once, on the threads libtorch was given. The first
/// exception is thrown on after the loop.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body);

/// Cuts [0, count) into one range a thread (the caller must not depend on where) and calls body
/// with each; likewise.
void parallel_ranges(std::int64_t count, const std::function<void(core::Range)>& body);

}  // namespace knnseq::index
