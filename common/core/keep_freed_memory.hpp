// Advice to the allocator.
#pragma once

namespace knnseq::core {

/// Keeps up to 128 MiB of freed memory instead of returning it: loops that allocate and free some
/// MiB in each turn otherwise get new pages each time, which the system clears. Applies to the
/// whole process. Does nothing if the C library is not glibc.
void keep_freed_memory();

}  // namespace knnseq::core
