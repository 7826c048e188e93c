#include "store/mpi_path.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/error.hpp"

namespace knnseq::store {

namespace {

constexpr std::size_t most_bytes = 128;  ///< Open MPI adds to it

}  // namespace

MpiPath::MpiPath(const std::filesystem::path& path) : text_(path.string()) {
  if (text_.size() <= most_bytes && text_.find(':') == std::string::npos) return;
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  folder_ = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0) throw core::SystemError("open", folder, errno);
  text_ = fmt::format("/proc/self/fd/{}/{}", folder_, path.filename().string());
}

MpiPath::~MpiPath() {
  if (folder_ >= 0) ::close(folder_);
}

}  // namespace knnseq::store
