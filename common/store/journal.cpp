#include "store/journal.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/own_files.hpp"
#include "core/parse_json.hpp"
#include "store/json_numbers.hpp"

namespace knnseq::store {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t checksum_digits = 16;

std::string line_checksum(const std::string& owner, std::string_view json) {
  const std::string text = fmt::format("{}\n{}", owner, json);
  return fmt::format("{:016x}", core::checksum_of(std::span(text.data(), text.size())));
}

struct Parsed {
  std::vector<core::Json> records;
  std::size_t whole_bytes = 0;  ///< up to the end of the last whole line
};

Parsed parse(const fs::path& path, const std::string& owner, const Journal::Check& check = {}) {
  const std::string content = core::read_file(path);
  Parsed parsed;
  std::size_t line_number = 0;
  for (std::size_t at = 0; at < content.size();) {
    ++line_number;
    const auto end = content.find('\n', at);
    if (end == std::string::npos) break;  // torn
    const std::string_view line(content.data() + at, end - at);
    const bool whole =
        line.size() > checksum_digits &&
        line_checksum(owner, line.substr(checksum_digits + 1)) == line.substr(0, checksum_digits);
    if (!whole && end + 1 == content.size()) break;  // torn, though its end was written
    const std::string place = fmt::format("{}:{}", path.string(), line_number);
    if (!whole) {
      throw core::InputError(place,
                             "damaged record (its checksum does not match); --force starts over");
    }
    parsed.records.push_back(core::parse_json(line.substr(checksum_digits + 1), place));
    check_counts(parsed.records.back(), place);
    if (check) check({place, parsed.records.back(), "record"});
    at = parsed.whole_bytes = end + 1;
  }
  return parsed;
}

}  // namespace

Journal::Journal(fs::path path, std::string owner)
    : path_(std::move(path)), owner_(std::move(owner)) {
  const auto whole = fs::exists(path_) ? parse(path_, owner_).whole_bytes : 0;
  fd_ = core::open_own_file(path_, O_WRONLY | O_CREAT | O_APPEND);
  if (::ftruncate(fd_, static_cast<off_t>(whole)) != 0) {
    throw core::SystemError("ftruncate", path_, errno);
  }
}

Journal::~Journal() {
  if (fd_ >= 0) ::close(fd_);
}

void Journal::append(const core::Json& record) {
  const std::string json = record.dump();
  const std::string line = line_checksum(owner_, json) + " " + json + "\n";
  for (std::size_t at = 0; at < line.size();) {
    const auto written = ::write(fd_, line.data() + at, line.size() - at);
    if (written < 0) throw core::SystemError("write", path_, errno);
    at += static_cast<std::size_t>(written);
  }
  if (::fdatasync(fd_) != 0) throw core::SystemError("fdatasync", path_, errno);
}

std::vector<core::Json> Journal::read(const fs::path& path, const std::string& owner,
                                      const Check& check) {
  return parse(path, owner, check).records;
}

std::vector<core::Json> Journal::read_all(const fs::path& folder, const std::string& prefix,
                                          const std::string& owner, const Check& check) {
  std::vector<core::Json> records;
  for (const auto& path : files_with_prefix(folder, prefix)) {
    auto more = read(path, owner, check);
    std::move(more.begin(), more.end(), std::back_inserter(records));
  }
  return records;
}

std::vector<fs::path> files_with_prefix(const fs::path& folder, const std::string& prefix) {
  std::vector<fs::path> found;
  if (!fs::is_directory(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace knnseq::store
