// Memory for entries that no other process reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace knnseq::index {

/// Aligned to 64 bytes, and not initialised.
inline std::shared_ptr<std::byte> own_memory(std::int64_t bytes) {
  constexpr std::align_val_t alignment{64};
  auto* const memory = static_cast<std::byte*>(::operator new(bytes, alignment));
  return {memory, [](std::byte* p) { ::operator delete(p, alignment); }};
}

template <class T>
std::span<T> array_at(std::byte* memory, std::int64_t offset, std::int64_t count) {
  return {reinterpret_cast<T*>(memory + offset), static_cast<std::size_t>(count)};
}

}  // namespace knnseq::index
