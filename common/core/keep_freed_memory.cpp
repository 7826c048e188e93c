#include "core/keep_freed_memory.hpp"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace knnseq::core {

void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int mebibyte = 1 << 20;
  mallopt(M_TRIM_THRESHOLD, 128 * mebibyte);
  mallopt(M_MMAP_THRESHOLD, 32 * mebibyte);  // fixed: the other setting stops its automatic growth
#endif
}

}  // namespace knnseq::core
