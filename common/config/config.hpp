// A YAML configuration: typed reading, all mistakes reported at once, the resolved values kept.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/section.hpp"

namespace knnseq::config {

/// A key that was asked for.
struct KnownKey {
  std::string path;      ///< "knn.k"; "decode[].name" for those of the maps in a list
  std::string fallback;  ///< its value, as YAML: the default where the file does not have it
  std::string problem;   ///< what was wrong with it, as in "is required"; empty: nothing
  core::Json schema;     ///< what it may be, as JSON schema
};

/// One configuration file with the overrides of the command line.
///
/// Reading goes through root(): each value that is asked for becomes a known key with its default.
/// finish() then reports everything that was wrong: keys of the wrong type or out of range,
/// duplicate keys, and keys nobody asked for, each with file, line and the nearest known key.
class Config {
 public:
  /// overrides: "key.subkey=value" each, as given to --set; lists are indexed by number.
  /// Throws core::InputError if the file is missing, is not YAML, or an override is malformed.
  static Config load(const std::filesystem::path& file, const std::vector<std::string>& overrides);
  /// The same for a text; `name` stands for the file in messages.
  static Config parse(const std::string& text, const std::string& name,
                      const std::vector<std::string>& overrides = {});

  Section root() const;
  /// Values that files under its key `tuned` have put in the place of others, one line each.
  std::vector<std::string> notices() const;
  /// Paths of the files under its keys `include` and `tuned`.
  std::vector<std::filesystem::path> included() const;
  /// Throws core::InputError listing all problems, if there are any.
  void finish() const;
  /// Every key that was asked for, in the order of asking; of a list of maps those of the first.
  std::vector<KnownKey> known() const;
  /// YAML of every value that was read, defaults included; load() reads it back to the same values.
  std::string resolved() const;
  /// The same, each value with a comment: "default", or its file and line, or its --set.
  std::string explained() const;

 private:
  explicit Config(std::shared_ptr<ConfigState> state) : state_(std::move(state)) {}
  std::shared_ptr<ConfigState> state_;
};

}  // namespace knnseq::config
