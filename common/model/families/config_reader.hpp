// Reads the keys of one JSON file and notices those nobody asked for.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "core/files.hpp"

namespace knnseq::model {

/// All errors are InputErrors naming file and key.
class ConfigReader {
 public:
  /// Throws where `json` is not an object.
  ConfigReader(std::string file, const core::Json& json);

  std::int64_t integer(const std::string& key);
  std::int64_t integer(const std::string& key, std::int64_t fallback);  ///< where missing or null
  bool boolean(const std::string& key, bool fallback);
  std::string text(const std::string& key);

  /// The value, null where it is missing; counts as read.
  const core::Json& value(const std::string& key);

  /// Throws where the key is there with another value than this one (null counts as missing).
  void expect(const std::string& key, const core::Json& only);

  /// These keys need no reading.
  void ignore(std::initializer_list<const char*> keys);

  /// The keys that nobody read, expected or ignored, ascending.
  std::vector<std::string> unread() const;

  /// Throws where unread() is not empty, naming all of them.
  void finish() const;

  [[noreturn]] void fail(const std::string& key, const std::string& message) const;

 private:
  std::string file_;
  const core::Json& json_;
  std::set<std::string> read_;
};

}  // namespace knnseq::model
