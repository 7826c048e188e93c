#include "obs/log.hpp"

#include <cerrno>
#include <chrono>
#include <utility>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/own_files.hpp"

namespace knnseq::obs {

Log::~Log() {
  if (file_ != nullptr) std::fclose(file_);
}

void Log::open(const std::filesystem::path& file) {
  if (rank_ != 0) return;
  if (file_ != nullptr) std::fclose(std::exchange(file_, nullptr));
  file_ = ::fdopen(core::open_own_file(file, O_WRONLY | O_CREAT | O_APPEND), "a");
  if (file_ == nullptr) throw core::SystemError("open", file, errno);
}

void Log::line(const std::string& text) {
  // One write a line, so that lines of several ranks do not mix.
  std::string all;
  if (progress_shown_) all += "\r\033[K";
  progress_shown_ = false;
  if (!stage_.empty()) all += fmt::format("[{}]", stage_);
  if (ranks_ > 1) all += fmt::format("[r{}/{}]", rank_, ranks_);
  all += all.empty() ? "" : " ";
  all += text + "\n";
  std::fwrite(all.data(), 1, all.size(), stderr);
}

void Log::info(const std::string& message) {
  if (rank_ != 0) return;
  line(message);
  event("info", {{"message", message}});
}

void Log::warn(const std::string& message) {
  line("warning: " + message);
  event("warning", {{"message", message}});
}

void Log::progress(const std::string& message) {
  if (rank_ != 0) return;
  if (::isatty(STDERR_FILENO) != 0) {
    const std::string text = fmt::format("\r\033[K[{}] {}", stage_, message);
    std::fwrite(text.data(), 1, text.size(), stderr);
    progress_shown_ = true;
  } else {
    line(message);
  }
}

void Log::event(const std::string& name, core::Json fields) {
  if (file_ == nullptr) return;
  const auto now = std::chrono::system_clock::now();
  fields["time"] = fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(now)));
  fields["stage"] = stage_;
  fields["event"] = name;
  const std::string text = fields.dump(-1, ' ', false, core::Json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), file_);
  std::fflush(file_);
}

}  // namespace knnseq::obs
