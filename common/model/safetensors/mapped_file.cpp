#include "model/safetensors/mapped_file.hpp"

#include <cerrno>

#include <sys/mman.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/input_file.hpp"

namespace knnseq::model {

MappedFile::MappedFile(const std::filesystem::path& path) {
  const core::InputFile file(path);
  const auto size = static_cast<std::size_t>(file.bytes());
  if (size == 0) return;  // mmap refuses empty ranges
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (data == MAP_FAILED) throw core::SystemError("mmap", path, errno);
  bytes_ = {static_cast<const std::byte*>(data), size};
}

void MappedFile::release(std::size_t begin, std::size_t count) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t first = (begin + page - 1) / page * page;
  const std::size_t end = (begin + count) / page * page;
  if (first >= end) return;
  // Only advice: a failure changes nothing but the memory in use.
  ::madvise(const_cast<std::byte*>(bytes_.data()) + first, end - first, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace knnseq::model
