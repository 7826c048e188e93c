// Reads tensors from a safetensors file, and writes one.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/safetensors/mapped_file.hpp"
#include "model/safetensors/safetensors_header.hpp"

namespace knnseq::model {

/// An open file, mapped, its header checked whole. Needs a little-endian machine. Processes of one
/// machine share the mapped pages.
class SafetensorsFile {
 public:
  /// Throws InputError naming the file, and the tensor if one is at fault: missing, truncated,
  /// malformed, offsets outside the data or overlapping, a size that does not fit the shape.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::string& path() const { return path_; }
  bool contains(const std::string& name) const { return entries_.contains(name); }
  std::vector<std::string> names() const;  ///< ascending

  /// The tensor on the CPU, in the file's dtype (F64, F32, F16, BF16, I64, I32, U8) and shape: a
  /// view of the mapping, which it keeps alive and which must not be written to, or a copy if
  /// the file does not align it. Throws InputError if it is missing or of another dtype.
  at::Tensor tensor(const std::string& name) const;

  /// The largest magnitude of a floating-point tensor; not finite if one of its numbers is not.
  /// Reads it once, and holds a few megabytes of it at a time. Throws as tensor().
  double largest_magnitude(const std::string& name) const;

  /// Says that the tensor's bytes will not be read again soon: they no longer count as this
  /// process's memory.
  void release(const std::string& name) const;

 private:
  const SafetensorsEntry& entry(const std::string& name) const;

  std::string path_;
  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, SafetensorsEntry> entries_;
};

/// Writes fp32 tensors in the host's memory as a safetensors file, in the order of their names, in
/// place of one that may be there. Throws core::SystemError.
void write_safetensors(const std::filesystem::path& path,
                       const std::map<std::string, at::Tensor>& tensors);

}  // namespace knnseq::model
