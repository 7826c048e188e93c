#include "store/npy_file.hpp"

#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/own_files.hpp"

namespace knnseq::store {

namespace {

/// Version 1.0 of the format (numpy.lib.format): magic, length, a Python dict, padded so that the
/// values are aligned.
std::string npy_header(std::int64_t size) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::size_t before = 10;
  constexpr std::size_t alignment = 64;
  std::string dict =
      fmt::format("{{'descr': '<u4', 'fortran_order': False, 'shape': ({},), }}", size);
  while ((before + dict.size() + 1) % alignment != 0) dict += ' ';
  dict += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dict.size() & 0xff);
  header += static_cast<char>(dict.size() >> 8);
  return header + dict;
}

void allocate(int fd, std::size_t bytes, const std::filesystem::path& path) {
  const auto size = static_cast<off_t>(bytes);
  int failed = ::posix_fallocate(fd, 0, size);
  if (failed == EOPNOTSUPP || failed == EINVAL) {  // a file system without it
    failed = ::ftruncate(fd, size) != 0 ? errno : 0;
  }
  if (failed != 0) {
    throw core::SystemError(fmt::format("allocating {} bytes", bytes), path, failed);
  }
}

}  // namespace

NpyFile::NpyFile(const std::filesystem::path& path, std::int64_t size) : path_(path) {
  const std::string header = npy_header(size);
  header_bytes_ = header.size();
  bytes_ = header_bytes_ + static_cast<std::size_t>(size) * sizeof(std::uint32_t);
  const int fd = core::open_own_file(path, O_RDWR | O_CREAT | O_TRUNC);
  void* mapped = MAP_FAILED;
  int failed = 0;
  try {
    allocate(fd, bytes_, path);
    mapped = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    failed = errno;
  } catch (...) {
    ::close(fd);
    throw;
  }
  ::close(fd);
  if (mapped == MAP_FAILED) throw core::SystemError("mmap", path, failed);
  mapped_ = static_cast<std::byte*>(mapped);
  std::memcpy(mapped_, header.data(), header.size());
}

NpyFile::~NpyFile() {
  if (mapped_ != nullptr) ::munmap(mapped_, bytes_);
}

std::span<std::uint32_t> NpyFile::values() {
  return {reinterpret_cast<std::uint32_t*>(mapped_ + header_bytes_),
          (bytes_ - header_bytes_) / sizeof(std::uint32_t)};
}

void NpyFile::close() {
  if (::msync(mapped_, bytes_, MS_SYNC) != 0) throw core::SystemError("msync", path_, errno);
  ::munmap(mapped_, bytes_);
  mapped_ = nullptr;
}

}  // namespace knnseq::store
