// The allocator of the whole process: gperftools' tcmalloc, which the programs are linked with
// unless CMake was told otherwise, or the C library's.
#pragma once

#include <string>

namespace knnseq::core {

/// Keeps up to 128 MiB of freed memory instead of returning it: loops that allocate and free some
/// MiB in each turn otherwise get new pages each time, which the system clears. For glibc's
/// allocator; tcmalloc keeps more by itself.
void keep_freed_memory();

/// Returns to the system what was freed, so that the peak does not grow by it. Not with a C library
/// other than glibc.
void release_freed_memory();

/// Such as "tcmalloc 2.10", or "the C library's".
std::string describe_allocator();

}  // namespace knnseq::core
