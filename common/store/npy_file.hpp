// Arrays in NumPy's format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace knnseq::store {

/// A new .npy file of uint32 [size] that is filled in any order: it is mapped into memory, and its
/// space is allocated first, so that a full disk is noticed here.
class NpyFile {
 public:
  /// Throws core::SystemError.
  NpyFile(const std::filesystem::path& path, std::int64_t size);
  ~NpyFile();
  NpyFile(const NpyFile&) = delete;
  NpyFile& operator=(const NpyFile&) = delete;

  std::span<std::uint32_t> values();  ///< [size]
  /// Writes everything to the file. Throws core::SystemError.
  void close();

 private:
  std::filesystem::path path_;
  std::byte* mapped_ = nullptr;
  std::size_t header_bytes_ = 0;
  std::size_t bytes_ = 0;  ///< of the file
};

}  // namespace knnseq::store
