#include "obs/log.hpp"

#include <cerrno>
#include <chrono>
#include <utility>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "core/own_files.hpp"
#include "obs/crash_message.hpp"
#include "obs/host_name.hpp"
#include "obs/terminal.hpp"

namespace knnseq::obs {

Log::~Log() {
  if (file_ != nullptr) std::fclose(file_);
}

void Log::set_stage(const std::string& stage) {
  stage_ = stage;
  announce_crashes(fmt::format("knnseq {}: rank {} on {}", stage, rank_, host_name()));
}

void Log::open(const std::filesystem::path& file) {
  if (rank_ != 0) return;
  if (file_ != nullptr) std::fclose(std::exchange(file_, nullptr));
  file_ = ::fdopen(core::open_own_file(file, O_WRONLY | O_CREAT | O_APPEND), "a");
  if (file_ == nullptr) throw core::SystemError("open", file, errno);
}

std::string Log::prefix() const {
  std::string text;
  if (!stage_.empty()) text += fmt::format("[{}]", stage_);
  if (ranks_ > 1) text += fmt::format("[r{}/{}]", rank_, ranks_);
  return text.empty() ? "" : text + " ";
}

void Log::info(const std::string& message) {
  if (rank_ != 0) return;
  say(prefix() + message);
  event("info", {{"message", message}});
}

void Log::warn(const std::string& message) {
  say(prefix() + "warning: " + message);
  event("warning", {{"message", message}});
}

void Log::progress(const std::string& message) {
  if (rank_ != 0) return;
  say_progress(prefix() + message);
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
