#include "core/error.hpp"

#include <cstring>

#include <fmt/format.h>

namespace knnseq::core {

SystemError::SystemError(const std::string& call, const std::string& path, int errno_value)
    : SystemError(fmt::format("{}: {}: {}", path, call, std::strerror(errno_value))) {}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void assertion_failed(const char* expression, const char* file, int line,
                      const std::string& message) {
  throw std::logic_error(fmt::format("internal error at {}:{}: {} ({} does not hold)", file, line,
                                     message, expression));
}

}  // namespace knnseq::core
