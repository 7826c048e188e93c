// Journals: any bytes, and, since the fuzzer finds no checksums, lines that are given theirs if
// they start with '!'. Appending continues after what was read.
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include "core/hash.hpp"
#include "fuzz.hpp"
#include "store/journal.hpp"

using namespace knnseq;

namespace {

constexpr const char* owner = "shard 7";

/// In memory, with a name of its own: journals are not opened through links, as those below
/// /proc/self/fd are.
class NamedFile {
 public:
  explicit NamedFile(std::string_view content)
      : path_(fmt::format("/dev/shm/knnseq-fuzz-journal-{}", ::getpid())) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << content;
  }
  ~NamedFile() { std::filesystem::remove(path_); }
  NamedFile(const NamedFile&) = delete;
  NamedFile& operator=(const NamedFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string with_checksums(std::string_view input) {
  std::string content;
  while (!input.empty()) {
    const auto end = std::min(input.find('\n'), input.size());
    const auto line = input.substr(0, end);
    if (line.starts_with('!')) {
      const std::string checked = fmt::format("{}\n{}", owner, line.substr(1));
      content += fmt::format("{:016x} ", core::checksum_of(std::span(checked)));
      content += line.substr(1);
    } else {
      content += line;
    }
    if (end < input.size()) content += '\n';
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  return content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const NamedFile file(with_checksums(fuzz::as_text(data, size)));
  fuzz::read([&] {
    auto records = store::Journal::read(file.path(), owner);
    const core::Json more = {{"unit", records.size()}};
    store::Journal(file.path(), owner).append(more);
    records.push_back(more);
    fuzz::require(store::Journal::read(file.path(), owner) == records, "a record is appended");
  });
  return 0;
}
