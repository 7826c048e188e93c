// Advice to the allocator.
#pragma once

namespace knnseq::core {

/// Keeps up to 64 MiB of what was freed instead of giving it back: loops that allocate and free
/// some MiB in each turn otherwise get new pages each time, which the system clears. For the whole
/// process. Nothing happens where the C library is not glibc.
void keep_freed_memory();

}  // namespace knnseq::core
