#include "core/error.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace knnseq::core {

namespace {

/// One line an item: line ends inside an item become "\\n".
std::string join_lines(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) {
    if (!text.empty()) text += '\n';
    for (const char c : item) c == '\n' ? text += "\\n" : text += c;
  }
  return text;
}

}  // namespace

InputError::InputError(const std::vector<std::string>& problems)
    : Error(ExitCode::bad_input, problems.size() == 1 ? problems.front() : join_lines(problems),
            problems.size() > 1) {}

std::vector<std::string> items_of(const Error& error) {
  const std::string text = error.what();
  if (!error.is_list()) return {text};
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    items.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return items;
}

SystemError::SystemError(const std::string& call, const std::string& path, int errno_value)
    : SystemError(fmt::format("{}: {}: {}", path, call, std::strerror(errno_value))) {}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void assertion_failed(const char* expression, const char* file, int line,
                      const std::string& message) {
  throw std::logic_error(fmt::format("internal error at {}:{}: {} ({} does not hold)", file, line,
                                     message, expression));
}

}  // namespace knnseq::core
