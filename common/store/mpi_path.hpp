// Names of files as MPI-IO can take them; for hdf5_file.cpp.
#pragma once

#include <filesystem>
#include <string>

namespace knnseq::store {

/// ROMIO takes what stands before a colon for the name of a file system, and Open MPI's shared file
/// pointers, which every file has, end the process if a path does not fit into 256 bytes. Such a
/// path is given as one below /proc/self/fd, which leads to the same folder as long as this object
/// lives; all others are given as they are.
class MpiPath {
 public:
  explicit MpiPath(const std::filesystem::path& path);
  ~MpiPath();
  MpiPath(const MpiPath&) = delete;
  MpiPath& operator=(const MpiPath&) = delete;

  const char* c_str() const { return text_.c_str(); }

 private:
  int folder_ = -1;
  std::string text_;
};

}  // namespace knnseq::store
