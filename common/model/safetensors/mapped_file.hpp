// A file mapped into memory for reading.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace knnseq::model {

/// Read-only private mapping of a whole file; the file may be unlinked meanwhile, not truncated.
class MappedFile {
 public:
  /// Throws InputError if the file cannot be opened or is not a regular file, SystemError if it
  /// cannot be mapped.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

  /// Drops the whole pages within [begin, begin + count) from this process; reading them again
  /// brings them back.
  void release(std::size_t begin, std::size_t count) const;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace knnseq::model
