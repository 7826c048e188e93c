#include "obs/terminal.hpp"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace knnseq::obs {

namespace {

constexpr const char* clear_line = "\r\033[K";
std::atomic<bool> progress_shown = false;

/// Characters that reorder or hide the text around them, and line ends other than "\n".
bool is_unsafe(char32_t c) {
  const bool control = c < 0x20 || (c >= 0x7F && c < 0xA0);
  const bool direction = c == 0x061C || c == 0x200E || c == 0x200F ||
                         (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  const bool separator = c == 0x2028 || c == 0x2029;
  return control || direction || separator;
}

std::string escape(char32_t c) {
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  return c < 0x100 ? fmt::format("\\x{:02x}", static_cast<unsigned>(c))
                   : fmt::format("\\u{:04x}", static_cast<unsigned>(c));
}

enum class Escapes { all, not_line_ends, as_json };

std::string escape_unsafe(std::string_view text, Escapes how) {
  std::string safe;
  safe.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = core::character_length(text.substr(at));
    if (length == 0) {
      safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at++]));
      continue;
    }
    const std::size_t begin = at;
    const char32_t c = core::next_code_point(text, at);
    if (is_unsafe(c) && !(how != Escapes::all && c == '\n')) {
      safe +=
          how == Escapes::as_json ? fmt::format("\\u{:04x}", static_cast<unsigned>(c)) : escape(c);
    } else {
      safe += text.substr(begin, length);
    }
  }
  return safe;
}

/// Writes all of it, even if that takes several calls. A closed terminal is not an error.
void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno != EINTR && errno != EAGAIN) return;
    if (written > 0) text.remove_prefix(written);
  }
}

/// Whether stderr ends on a terminal: as one, or as the pipe of an mpirun whose own does.
bool ends_on_terminal() {
  if (::isatty(STDERR_FILENO) != 0) return true;
  struct stat own {};
  if (std::getenv("OMPI_COMM_WORLD_RANK") == nullptr || ::fstat(STDERR_FILENO, &own) != 0 ||
      !S_ISFIFO(own.st_mode)) {
    return false;
  }
  std::error_code error;
  const auto of_mpirun =
      std::filesystem::read_symlink(fmt::format("/proc/{}/fd/2", ::getppid()), error).string();
  return of_mpirun.starts_with("/dev/pts/") || of_mpirun.starts_with("/dev/tty");
}

}  // namespace

std::string printable(std::string_view text) { return escape_unsafe(text, Escapes::all); }

std::string printable_lines(std::string_view text) {
  return escape_unsafe(text, Escapes::not_line_ends);
}

std::string printable_json(std::string_view json) { return escape_unsafe(json, Escapes::as_json); }

void print(std::string_view text) {
  const std::string safe = printable_lines(text);
  std::fwrite(safe.data(), 1, safe.size(), stdout);
  std::fflush(stdout);
}

void write_data(std::string_view data) {
  if (::isatty(STDOUT_FILENO) != 0) return print(data);
  while (!data.empty()) {
    const auto written = ::write(STDOUT_FILENO, data.data(), data.size());
    if (written < 0 && errno != EINTR && errno != EAGAIN) {
      throw core::SystemError("write", "standard output", errno);
    }
    if (written > 0) data.remove_prefix(static_cast<std::size_t>(written));
  }
}

void say(std::string_view text) { say_list(text, {}); }

void say_list(std::string_view heading, const std::vector<std::string>& items) {
  std::string text = progress_shown.exchange(false) ? clear_line : "";
  text += printable(heading) + "\n";
  for (const auto& item : items) text += "  " + printable(item) + "\n";
  write_all(STDERR_FILENO, text);
}

void say_progress(std::string_view text) {
  static const bool redraws = ends_on_terminal();
  if (!redraws) return say(text);
  write_all(STDERR_FILENO, clear_line + printable(text));
  progress_shown = true;
}

}  // namespace knnseq::obs
