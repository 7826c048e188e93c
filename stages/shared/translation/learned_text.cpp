#include "stages/shared/translation/learned_text.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/own_files.hpp"

namespace knnseq::stages {

namespace fs = std::filesystem;

namespace {

/// Lines that end, and the bytes of each with its end.
std::vector<std::string> whole_lines(const fs::path& file) {
  std::vector<std::string> lines;
  if (!fs::exists(file)) return lines;
  const auto text = core::read_file(file);
  std::size_t begin = 0;
  for (auto end = text.find('\n'); end != text.npos; end = text.find('\n', begin)) {
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::int64_t bytes_of_lines(const std::vector<std::string>& lines) {
  std::int64_t bytes = 0;
  for (const auto& line : lines) bytes += std::ssize(line) + 1;
  return bytes;
}

/// Calls use(descriptor), and closes it whatever happens.
template <class Use>
void with_file(const fs::path& path, int flags, Use use) {
  const int fd = core::open_own_file(path, flags);
  try {
    use(fd);
  } catch (...) {
    ::close(fd);
    throw;
  }
  ::close(fd);
}

void append_line(const fs::path& path, const std::string& line) {
  with_file(path, O_WRONLY | O_CREAT | O_APPEND, [&](int fd) {
    const std::string whole = line + "\n";
    std::size_t done = 0;
    while (done < whole.size()) {
      const auto written = ::write(fd, whole.data() + done, whole.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw core::SystemError("write", path, errno);
      done += static_cast<std::size_t>(written);
    }
    if (::fsync(fd) != 0) throw core::SystemError("fsync", path, errno);
  });
}

void cut_file(const fs::path& path, std::int64_t bytes) {
  with_file(path, O_WRONLY | O_CREAT, [&](int fd) {
    if (::ftruncate(fd, bytes) != 0) throw core::SystemError("truncate", path, errno);
    if (::fsync(fd) != 0) throw core::SystemError("fsync", path, errno);
  });
}

}  // namespace

LearnedText::LearnedText(const fs::path& run_dir)
    : run_dir_(run_dir),
      folder_(Folders(run_dir).learned),
      source_(folder_ / "source"),
      target_(folder_ / "target") {}

LearnedLines LearnedText::read(std::int64_t first) const {
  LearnedLines lines{whole_lines(source_), whole_lines(target_)};
  const auto pairs = std::min(lines.sources.size(), lines.targets.size());
  const auto skipped = std::min(static_cast<std::size_t>(first), pairs);
  for (auto* side : {&lines.sources, &lines.targets}) {
    side->resize(pairs);
    side->erase(side->begin(), side->begin() + static_cast<std::ptrdiff_t>(skipped));
  }
  return lines;
}

void LearnedText::begin_writing() {
  core::make_own_folders(run_dir_, folder_);
  lock_.emplace(folder_ / "lock");
  const auto lines = read(0);
  pairs_ = std::ssize(lines.sources);
  source_bytes_ = bytes_of_lines(lines.sources);
  target_bytes_ = bytes_of_lines(lines.targets);
  cut(source_bytes_, target_bytes_);  // what a crash has left of a pair
  core::sync_folder(folder_);
  core::sync_folder(run_dir_);
}

void LearnedText::cut(std::int64_t source_bytes, std::int64_t target_bytes) const {
  cut_file(source_, source_bytes);
  cut_file(target_, target_bytes);
}

std::int64_t LearnedText::append(const std::string& source, const std::string& target) {
  if (!lock_) begin_writing();
  try {
    append_line(source_, source);
    append_line(target_, target);
  } catch (const core::SystemError&) {
    cut(source_bytes_, target_bytes_);
    throw;
  }
  source_bytes_ += std::ssize(source) + 1;
  target_bytes_ += std::ssize(target) + 1;
  return pairs_++;
}

std::int64_t appended_lines(const fs::path& run_dir, const BuiltDatastore& datastore) {
  const auto text = fs::weakly_canonical(Folders(run_dir).learned / "source");
  std::int64_t lines = 0;
  for (const auto& corpus : datastore.corpora) {
    const auto& sources = corpus.paths.corpus.source;
    const bool ours = sources.size() == 1 && fs::weakly_canonical(sources.front()) == text;
    if (ours) lines = std::max(lines, corpus.corpus.lines);
  }
  return lines;
}

}  // namespace knnseq::stages
