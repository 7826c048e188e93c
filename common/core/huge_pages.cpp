#include "core/huge_pages.hpp"

#include <cstdint>

#include <sys/mman.h>

namespace knnseq::core {

namespace {

#ifdef MADV_COLLAPSE
constexpr int collapse = MADV_COLLAPSE;
#else
constexpr int collapse = 25;  // of Linux; glibc has a name for it from 2.37 on
#endif

}  // namespace

std::byte* map_at_huge_page(std::size_t bytes, int file) {
  // Addresses with room to move, of which those before and after the memory are given back.
  const std::size_t reserved = bytes + huge_page_bytes;
  void* const addresses =
      ::mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (addresses == MAP_FAILED) return nullptr;
  auto* const first = static_cast<std::byte*>(addresses);
  const std::size_t before = whole_huge_pages(reinterpret_cast<std::uintptr_t>(first)) -
                             reinterpret_cast<std::uintptr_t>(first);
  const int kind = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* const memory =
      ::mmap(first + before, bytes, PROT_READ | PROT_WRITE, kind | MAP_FIXED, file, 0);
  if (memory == MAP_FAILED) {
    ::munmap(first, reserved);
    return nullptr;
  }
  if (before > 0) ::munmap(first, before);
  ::munmap(first + before + bytes, huge_page_bytes - before);
  if (file < 0) ::madvise(memory, bytes, MADV_HUGEPAGE);
  return static_cast<std::byte*>(memory);
}

void collapse_to_huge_pages(std::byte* begin, std::size_t bytes) {
  for (std::size_t at = 0; at + huge_page_bytes <= bytes; at += huge_page_bytes) {
    // Only what has a page can be collapsed. Reading makes one, and leaves alone what others write.
    static_cast<void>(*reinterpret_cast<volatile const char*>(begin + at));
    if (::madvise(begin + at, huge_page_bytes, collapse) != 0) return;
  }
}

}  // namespace knnseq::core
