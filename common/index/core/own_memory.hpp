// Memory for entries that no other process reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

#include <sys/mman.h>

#include "core/huge_pages.hpp"

namespace knnseq::index {

/// Aligned to 64 bytes, and not initialised; in huge pages where the system has them.
inline std::shared_ptr<std::byte> own_memory(std::int64_t bytes) {
  if (const auto size = static_cast<std::size_t>(bytes); size >= core::huge_page_bytes) {
    const std::size_t whole = core::whole_huge_pages(size);
    std::byte* const memory = core::map_at_huge_page(whole, -1);
    if (memory == nullptr) throw std::bad_alloc();
    return {memory, [whole](std::byte* p) { ::munmap(p, whole); }};
  }
  constexpr std::align_val_t alignment{64};
  auto* const memory = static_cast<std::byte*>(::operator new(bytes, alignment));
  return {memory, [](std::byte* p) { ::operator delete(p, alignment); }};
}

template <class T>
std::span<T> array_at(std::byte* memory, std::int64_t offset, std::int64_t count) {
  return {reinterpret_cast<T*>(memory + offset), static_cast<std::size_t>(count)};
}

}  // namespace knnseq::index
