// Journals: any bytes, and, since the fuzzer finds no checksums, lines that are given theirs where
// they start with '!'. Appending goes on behind what was read.
#include <string>

#include <fmt/format.h>

#include "core/hash.hpp"
#include "fuzz.hpp"
#include "memory_file.hpp"
#include "store/journal.hpp"

using namespace knnseq;

namespace {

constexpr const char* owner = "shard 7";

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
  const fuzz::MemoryFile file(with_checksums(fuzz::as_text(data, size)));
  fuzz::read([&] {
    auto records = store::Journal::read(file.path(), owner);
    const core::Json more = {{"unit", records.size()}};
    store::Journal(file.path(), owner).append(more);
    records.push_back(more);
    fuzz::require(store::Journal::read(file.path(), owner) == records, "a record is appended");
  });
  return 0;
}
