#include "config/expand_path.hpp"

#include <cstdlib>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::config {

namespace {

std::string value_of(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') {
    throw core::InputError(fmt::format("the environment variable {} is not set", name));
  }
  return value;
}

}  // namespace

std::string expand_path(const std::string& path) {
  std::string expanded;
  std::size_t at = 0;
  if (path.starts_with('~')) {
    if (path.size() > 1 && path[1] != '/') {
      throw core::InputError("only ~ for your own home folder is understood: write it out");
    }
    expanded = value_of("HOME");
    at = 1;
  }
  for (auto begin = path.find("${", at); begin != path.npos; begin = path.find("${", at)) {
    const auto end = path.find('}', begin);
    if (end == path.npos) throw core::InputError("has ${ without its }");
    expanded += path.substr(at, begin - at) + value_of(path.substr(begin + 2, end - begin - 2));
    at = end + 1;
  }
  return expanded + path.substr(at);
}

}  // namespace knnseq::config
