// Memory in huge pages, for what is read all over again and again: a processor remembers where some
// thousand pages lie, of 4 KiB or of 2 MiB.
#pragma once

#include <cstddef>

namespace knnseq::core {

inline constexpr std::size_t huge_page_bytes = 2 << 20;

constexpr std::size_t whole_huge_pages(std::size_t bytes) {
  return (bytes + huge_page_bytes - 1) / huge_page_bytes * huge_page_bytes;
}

/// Maps `bytes`, in whole huge pages, at an address where one can begin: of a file for all that
/// share it, or zeros for this process alone (file: -1), for which huge pages are asked for. To be
/// unmapped with munmap(). Null if there is no memory, with the reason in errno.
std::byte* map_at_huge_page(std::size_t bytes, int file);

/// Makes huge pages of a mapped file's memory, for all that share it, in whole ones. What holds
/// nothing yet is filled with zeros, so that writing there need not wait for pages. What cannot be
/// (before Linux 6.1, or where memory is too scattered) stays as it is.
void collapse_to_huge_pages(std::byte* begin, std::size_t bytes);

}  // namespace knnseq::core
