#include "core/allocator.hpp"

#include <cstdlib>

#include <dlfcn.h>
#include <fmt/format.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace knnseq::core {

namespace {

/// A function of tcmalloc's interface, if the process has that allocator: linked or preloaded.
template <class Function>
Function* of_tcmalloc(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int mebibyte = 1 << 20;
  mallopt(M_TRIM_THRESHOLD, 128 * mebibyte);
  mallopt(M_MMAP_THRESHOLD, 32 * mebibyte);  // fixed: the other setting stops its automatic growth
#endif
}

void release_freed_memory() {
  if (auto* const release = of_tcmalloc<void()>("MallocExtension_ReleaseFreeMemory")) {
    release();
    return;
  }
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

std::string describe_allocator() {
  auto* const version = of_tcmalloc<const char*(int*, int*, const char**)>("tc_version");
  if (version == nullptr) return "the C library's";
  int major = 0, minor = 0;
  const char* patch = "";
  version(&major, &minor, &patch);
  return fmt::format("tcmalloc {}.{}{}", major, minor, patch);
}

}  // namespace knnseq::core
