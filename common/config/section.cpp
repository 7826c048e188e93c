#include "config/section.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/expand_path.hpp"
#include "config/yaml_document.hpp"
#include "core/error.hpp"

namespace knnseq::config {

namespace {

YAML::Node find(const SectionNode& section, const std::string& key) {
  const YAML::Node& yaml = section.yaml;  // const: operator[] must not create the key
  return yaml.IsMap() ? yaml[key] : YAML::Node(YAML::NodeType::Undefined);
}

std::string in_quotes(const std::string& text) {
  YAML::Emitter out;
  out << YAML::DoubleQuoted << text;
  return out.c_str();
}

template <class Bounds>
core::Json schema_of(const char* type, const Bounds& bounds) {
  return {{"type", type}, {"minimum", bounds.least}, {"maximum", bounds.most}};
}

core::Json one_or_list(const core::Json& item) {
  return {{"anyOf", {item, {{"type", "array"}, {"items", item}}}}};
}

}  // namespace

bool Section::has(const std::string& key) const {
  const auto node = find(*node_, key);
  return node.IsDefined() && !node.IsNull();
}

void Section::resolve(const std::string& key, const std::string& value) const {
  node_->resolved(key).value = value;
}

/// What the key may be, as JSON schema.
void Section::describe(const std::string& key, core::Json schema) const {
  node_->resolved(key).schema = std::move(schema);
}

void Section::problem(const std::string& key, const std::string& message) const {
  const auto node = find(*node_, key);
  const std::string text = fmt::format("{}{}: {}", node_->path, key, message);
  const auto known = std::ranges::find(node_->known, key, &ResolvedKey::key);
  if (known != node_->known.end() && known->problem.empty()) known->problem = message;
  if (node.IsDefined()) {
    state_->problem(node, text);
  } else {
    state_->problems.push_back(fmt::format("{}: {}", state_->file, text));
  }
}

template <class T>
std::optional<T> Section::scalar(const std::string& key, const char* kind) const {
  node_->resolved(key);
  const auto node = find(*node_, key);
  if (!node.IsDefined() || node.IsNull()) return std::nullopt;
  T value{};
  if (!node.IsScalar() || !YAML::convert<T>::decode(node, value)) {
    problem(key, fmt::format("must be {}", kind));
    return std::nullopt;
  }
  return value;
}

std::string Section::text(const std::string& key,
                          const std::optional<std::string>& fallback) const {
  auto value = scalar<std::string>(key, "a string");
  if (!value && !fallback) problem(key, "is required");
  std::string result = value.value_or(fallback.value_or(""));
  resolve(key, in_quotes(result));
  describe(key, {{"type", "string"}});
  return result;
}

std::string Section::expanded(const std::string& key, const std::string& path) const {
  try {
    return expand_path(path);
  } catch (const core::InputError& e) {
    problem(key, e.what());
    return path;
  }
}

std::string Section::path(const std::string& key,
                          const std::optional<std::string>& fallback) const {
  std::string result = expanded(key, text(key, fallback));
  resolve(key, in_quotes(result));
  return result;
}

std::vector<std::string> Section::paths(const std::string& key) const {
  auto result = texts(key);
  for (auto& path : result) path = expanded(key, path);
  node_->resolved(key).value = result;
  return result;
}

std::string Section::choice(const std::string& key, const std::vector<std::string>& allowed,
                            const std::string& fallback) const {
  std::string value = text(key, fallback);
  describe(key, {{"enum", allowed}});
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return value;
  problem(key, fmt::format("'{}' must be one of: {}", value, fmt::join(allowed, ", ")));
  return fallback;
}

template <class T, class Bounds>
std::optional<T> Section::bounded(const std::string& key, Bounds bounds, const char* kind) const {
  const auto value = scalar<T>(key, kind);
  if (value && !std::isfinite(static_cast<double>(*value))) {
    problem(key, "must be a finite number");
  } else if (value && (*value < bounds.least || *value > bounds.most)) {
    problem(key, fmt::format("{} must lie in {} to {}", *value, bounds.least, bounds.most));
  }
  return value;
}

std::int64_t Section::integer(const std::string& key, std::optional<std::int64_t> fallback,
                              IntegerBounds bounds) const {
  const auto value = bounded<std::int64_t>(key, bounds, "a whole number");
  if (!value && !fallback && !has(key)) problem(key, "is required (a whole number)");
  const std::int64_t result = value.value_or(fallback.value_or(bounds.least));
  resolve(key, std::to_string(result));
  describe(key, schema_of("integer", bounds));
  return result;
}

double Section::number(const std::string& key, std::optional<double> fallback,
                       NumberBounds bounds) const {
  const auto value = bounded<double>(key, bounds, "a number");
  if (!value && !fallback && !has(key)) problem(key, "is required (a number)");
  const double result = value.value_or(fallback.value_or(bounds.least));
  resolve(key, fmt::format("{}", result));
  describe(key, schema_of("number", bounds));
  return result;
}

std::optional<double> Section::optional_number(const std::string& key, NumberBounds bounds) const {
  const auto value = bounded<double>(key, bounds, "a number");
  resolve(key, value ? fmt::format("{}", *value) : "null");
  auto schema = schema_of("number", bounds);
  schema["type"] = {"number", "null"};
  describe(key, std::move(schema));
  return value;
}

bool Section::flag(const std::string& key, bool fallback) const {
  const bool result = scalar<bool>(key, "true or false").value_or(fallback);
  resolve(key, result ? "true" : "false");
  describe(key, {{"type", "boolean"}});
  return result;
}

std::vector<std::string> Section::texts(const std::string& key) const {
  const auto node = find(*node_, key);
  std::vector<std::string> result;
  node_->resolved(key);
  if (node.IsDefined() && node.IsScalar()) {
    result.push_back(node.as<std::string>());
  } else if (node.IsDefined() && node.IsSequence()) {
    for (const auto& item : node) {
      if (item.IsScalar()) {
        result.push_back(item.as<std::string>());
      } else {
        problem(key, "must be a list of strings");
      }
    }
  } else if (node.IsDefined() && node.IsMap()) {
    problem(key, "must be a string or a list of strings");
  }
  node_->resolved(key).value = result;
  describe(key, one_or_list({{"type", "string"}}));
  return result;
}

std::vector<std::pair<std::string, std::string>> Section::named_texts(
    const std::string& key) const {
  const auto node = find(*node_, key);
  node_->resolved(key);
  std::vector<std::pair<std::string, std::string>> result;
  if (node.IsDefined() && !node.IsNull() && !node.IsMap()) {
    problem(key, "must be a map of names to strings");
  } else if (node.IsDefined() && node.IsMap()) {
    for (const auto& item : node) {
      if (item.second.IsScalar()) {
        result.emplace_back(item.first.as<std::string>(), item.second.as<std::string>());
      } else {
        problem(key, "must be a map of names to strings");
      }
    }
  }
  YAML::Emitter out;
  out << YAML::Flow << YAML::BeginMap;
  for (const auto& [name, text] : result) {
    out << YAML::Key << YAML::DoubleQuoted << name << YAML::Value << YAML::DoubleQuoted << text;
  }
  out << YAML::EndMap;
  resolve(key, out.c_str());
  describe(key, {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}});
  return result;
}

template <class T, class Bounds>
std::vector<T> Section::scalars(const std::string& key, const std::vector<T>& fallback,
                                Bounds bounds, const char* kind) const {
  const auto node = find(*node_, key);
  node_->resolved(key);
  std::vector<T> result;
  const auto take = [&](const YAML::Node& item) {
    T value{};
    const bool right = item.IsScalar() && YAML::convert<T>::decode(item, value) &&
                       value >= bounds.least && value <= bounds.most;
    if (right) {
      result.push_back(value);
    } else {
      problem(key,
              fmt::format("must be a list of {} from {} to {}", kind, bounds.least, bounds.most));
    }
    return right;
  };
  if (!has(key)) {
    result = fallback;
  } else if (node.IsSequence()) {
    for (const auto& item : node) {
      if (!take(item)) break;
    }
  } else {
    take(node);
  }
  resolve(key, fmt::format("[{}]", fmt::join(result, ", ")));
  describe(key, one_or_list(schema_of(std::is_integral_v<T> ? "integer" : "number", bounds)));
  return result;
}

std::vector<std::int64_t> Section::integers(const std::string& key,
                                            const std::vector<std::int64_t>& fallback,
                                            IntegerBounds bounds) const {
  return scalars(key, fallback, bounds, "whole numbers");
}

std::vector<double> Section::numbers(const std::string& key, const std::vector<double>& fallback,
                                     NumberBounds bounds) const {
  return scalars(key, fallback, bounds, "numbers");
}

Section Section::section(const std::string& key) const {
  auto node = find(*node_, key);
  if (node.IsDefined() && !node.IsMap() && !node.IsNull()) {
    problem(key, "must be a map of keys to values");
    node = YAML::Node();
  }
  auto& entry = node_->resolved(key);
  if (!std::holds_alternative<std::shared_ptr<SectionNode>>(entry.value)) {
    entry.value = std::make_shared<SectionNode>(
        SectionNode{node.IsDefined() ? node : YAML::Node(), node_->path + key + ".", {}});
  }
  return {state_, std::get<std::shared_ptr<SectionNode>>(entry.value)};
}

std::vector<Section> Section::sections(const std::string& key) const {
  using Children = std::vector<std::shared_ptr<SectionNode>>;
  const auto node = find(*node_, key);
  auto& entry = node_->resolved(key);
  if (!std::holds_alternative<Children>(entry.value)) {
    Children children;
    if (node.IsDefined() && !node.IsNull()) {
      if (!node.IsSequence()) problem(key, "must be a list");
      std::size_t index = 0;
      for (const auto& item : node) {
        if (!node.IsSequence()) break;
        if (!item.IsMap()) problem(key, fmt::format("item {} must be a map", index));
        children.push_back(std::make_shared<SectionNode>(
            SectionNode{item, fmt::format("{}{}.{}.", node_->path, key, index), {}}));
        ++index;
      }
    }
    entry.value = children;
  }
  std::vector<Section> result;
  for (const auto& child : std::get<Children>(entry.value)) {
    result.push_back(Section(state_, child));
  }
  return result;
}

}  // namespace knnseq::config
