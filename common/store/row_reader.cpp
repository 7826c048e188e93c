#include "store/row_reader.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "core/error.hpp"

namespace knnseq::store {

RowReader::RowReader(const std::filesystem::path& path, const std::string& dataset, DataType type,
                     int dimensions)
    : path_(path) {
  auto file = Hdf5File::open_for_reading(path);
  shape_ = file.shape(dataset, type, dimensions);
  const auto place = file.bytes_of(dataset);
  file.close();
  first_byte_ = place.begin;
  row_bytes_ = shape_[0] > 0 ? place.size() / shape_[0] : 0;
  fd_ = ::open(path.c_str(), O_RDONLY);
  if (fd_ < 0) throw core::SystemError("open", path, errno);
}

RowReader::~RowReader() {
  if (fd_ >= 0) ::close(fd_);
}

void RowReader::read_bytes(std::int64_t first_row, std::span<std::byte> bytes) const {
  if (bytes.empty()) return;
  const auto size = std::ssize(bytes);
  if (first_row < 0 || row_bytes_ == 0 || size % row_bytes_ != 0 ||
      size / row_bytes_ > shape_[0] - first_row) {
    throw core::InputError(path_, "does not have the rows that it should");
  }
  for (std::int64_t done = 0; done < size;) {
    const auto got =
        ::pread(fd_, bytes.data() + done, size - done, first_byte_ + first_row * row_bytes_ + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw core::SystemError("read", path_, errno);
    if (got == 0) throw core::InputError(path_, "is damaged: it ends before its datasets do");
    done += got;
  }
}

}  // namespace knnseq::store
