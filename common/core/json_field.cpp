#include "core/json_field.hpp"

#include <cmath>

#include <fmt/format.h>

#include "core/json_integer.hpp"

namespace knnseq::core {

namespace {
constexpr std::size_t longest_shown = 100;
}

void JsonField::refuse(const std::string& what) const {
  throw InputError(file_, fmt::format("field '{}' {}", place_, what));
}

JsonField JsonField::at(const std::string& name) const {
  require(value_.is_object(), "is not an object");
  auto place = place_.empty() ? name : place_ + "." + name;
  const auto found = value_.find(name);
  if (found == value_.end()) throw InputError(file_, fmt::format("has no field '{}'", place));
  return {file_, *found, std::move(place)};
}

bool JsonField::has(const std::string& name) const {
  require(value_.is_object(), "is not an object");
  return value_.contains(name);
}

std::vector<std::pair<std::string, JsonField>> JsonField::members() const {
  require(value_.is_object(), "is not an object");
  std::vector<std::pair<std::string, JsonField>> found;
  for (const auto& [name, value] : value_.items()) found.emplace_back(name, at(name));
  return found;
}

std::vector<JsonField> JsonField::elements() const {
  require(value_.is_array(), "is not an array");
  std::vector<JsonField> found;
  for (std::size_t i = 0; i < value_.size(); ++i) {
    found.push_back({file_, value_[i], fmt::format("{}[{}]", place_, i)});
  }
  return found;
}

std::int64_t JsonField::number(std::int64_t least, std::int64_t most) const {
  const auto number = json_integer(value_);
  if (number && *number >= least && *number <= most) return *number;
  refuse(fmt::format("is {}, not a whole number from {} to {}",
                     value_.dump().substr(0, longest_shown), least, most));
}

double JsonField::finite() const {
  require(value_.is_number() && std::isfinite(value_.get<double>()), "is not a finite number");
  return value_.get<double>();
}

const std::string& JsonField::text() const {
  require(value_.is_string(), "is not text");
  return value_.get_ref<const std::string&>();
}

bool JsonField::flag() const {
  require(value_.is_boolean(), "is neither true nor false");
  return value_.get<bool>();
}

bool is_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos &&
         name.find('\0') == name.npos;
}

}  // namespace knnseq::core
