// Memory in huge pages, whether or not the system has any.
#include <algorithm>
#include <cstdint>
#include <span>

#include <catch2/catch.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include "core/huge_pages.hpp"

using namespace knnseq;

namespace {

constexpr std::size_t size = 3 * core::huge_page_bytes;

bool all_are(std::span<const std::byte> memory, int value) {
  return std::ranges::all_of(memory, [&](std::byte b) { return b == std::byte(value); });
}

bool at_huge_page(const std::byte* memory) {
  return reinterpret_cast<std::uintptr_t>(memory) % core::huge_page_bytes == 0;
}

}  // namespace

TEST_CASE("Bytes are rounded up to whole huge pages") {
  CHECK(core::whole_huge_pages(0) == 0);
  CHECK(core::whole_huge_pages(1) == core::huge_page_bytes);
  CHECK(core::whole_huge_pages(core::huge_page_bytes) == core::huge_page_bytes);
  CHECK(core::whole_huge_pages(size - 1) == size);
}

TEST_CASE("Memory of a process is zeros, and begins where a huge page can") {
  std::byte* const memory = core::map_at_huge_page(size, -1);
  REQUIRE(memory != nullptr);
  CHECK(at_huge_page(memory));
  CHECK(all_are({memory, size}, 0));
  std::fill_n(memory, size, std::byte{7});
  CHECK(all_are({memory, size}, 7));
  CHECK(::munmap(memory, size) == 0);
}

TEST_CASE("Memory of a file keeps what it holds when it becomes huge pages") {
  const int file = ::memfd_create("test", MFD_CLOEXEC);
  REQUIRE(file >= 0);
  REQUIRE(::ftruncate(file, size) == 0);
  std::byte* const memory = core::map_at_huge_page(size, file);
  std::byte* const again = core::map_at_huge_page(size, file);
  ::close(file);
  REQUIRE(memory != nullptr);
  REQUIRE(again != nullptr);
  CHECK(at_huge_page(memory));
  CHECK(at_huge_page(again));
  std::fill_n(memory, core::huge_page_bytes, std::byte{5});
  core::collapse_to_huge_pages(memory, size);
  CHECK(all_are({again, core::huge_page_bytes}, 5));
  CHECK(all_are({again + core::huge_page_bytes, 2 * core::huge_page_bytes}, 0));
  again[size - 1] = std::byte{9};
  CHECK(memory[size - 1] == std::byte{9});
  CHECK(::munmap(memory, size) == 0);
  CHECK(::munmap(again, size) == 0);
}
