// A map of the configuration and typed access to its keys.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/files.hpp"

namespace knnseq::config {

struct ConfigState;
struct SectionNode;

/// Bounds that the code can handle: every number has some, and must be finite too.
struct IntegerBounds {
  std::int64_t least;
  std::int64_t most;
};

struct NumberBounds {
  double least;
  double most;
};

/// One map of the file. Wrong values do not throw: they are noted, the default is returned, and
/// Config::finish() reports them together. A key without a default is required.
class Section {
 public:
  bool has(const std::string& key) const;
  std::string text(const std::string& key, const std::optional<std::string>& fallback = {}) const;
  /// A file or folder: `~` at its begin and `${NAME}` are replaced by what the environment says.
  std::string path(const std::string& key, const std::optional<std::string>& fallback = {}) const;
  /// A list of them; a single one counts as a list of one.
  std::vector<std::string> paths(const std::string& key) const;
  /// One of `allowed`.
  std::string choice(const std::string& key, const std::vector<std::string>& allowed,
                     const std::string& fallback) const;
  std::int64_t integer(const std::string& key, std::optional<std::int64_t> fallback,
                       IntegerBounds bounds) const;
  double number(const std::string& key, std::optional<double> fallback, NumberBounds bounds) const;
  /// A number that may be left out (YAML null or no such key).
  std::optional<double> optional_number(const std::string& key, NumberBounds bounds) const;
  bool flag(const std::string& key, bool fallback) const;
  /// A list of strings; a single string counts as a list of one.
  std::vector<std::string> texts(const std::string& key) const;
  /// A map of strings to strings, in the order of the file; any key may stand there.
  std::vector<std::pair<std::string, std::string>> named_texts(const std::string& key) const;
  /// A list of whole numbers; a single one counts as a list of one.
  std::vector<std::int64_t> integers(const std::string& key,
                                     const std::vector<std::int64_t>& fallback,
                                     IntegerBounds bounds) const;
  /// The same for numbers.
  std::vector<double> numbers(const std::string& key, const std::vector<double>& fallback,
                              NumberBounds bounds) const;
  /// The map under `key`; an empty one if it is missing.
  Section section(const std::string& key) const;
  /// The maps in the list under `key`; none if it is missing.
  std::vector<Section> sections(const std::string& key) const;
  /// Notes that a value breaks a rule; reported by Config::finish().
  void problem(const std::string& key, const std::string& message) const;

 private:
  friend class Config;
  Section(std::shared_ptr<ConfigState> state, std::shared_ptr<SectionNode> node)
      : state_(std::move(state)), node_(std::move(node)) {}
  template <class T>
  std::optional<T> scalar(const std::string& key, const char* kind) const;
  template <class T, class Bounds>
  std::optional<T> bounded(const std::string& key, Bounds bounds, const char* kind) const;
  template <class T, class Bounds>
  std::vector<T> scalars(const std::string& key, const std::vector<T>& fallback, Bounds bounds,
                         const char* kind) const;
  void resolve(const std::string& key, const std::string& value) const;
  void describe(const std::string& key, core::Json schema) const;
  std::string expanded(const std::string& key, const std::string& path) const;

  std::shared_ptr<ConfigState> state_;
  std::shared_ptr<SectionNode> node_;
};

}  // namespace knnseq::config
