// Fields of JSON files, checked before they are used.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace knnseq::core {

/// A value and its place in a file. A checksum shows that a file is as it was written, but not that
/// knnseq wrote it. All functions throw InputError naming file and field if something is missing or
/// is not what was asked for. The value must outlive this object.
class JsonField {
 public:
  JsonField(std::string file, const nlohmann::json& value, std::string place = "")
      : file_(std::move(file)), value_(value), place_(std::move(place)) {}

  /// A member of an object.
  JsonField at(const std::string& name) const;
  bool has(const std::string& name) const;
  bool is_object() const { return value_.is_object(); }
  /// All members of an object, in the order of their names.
  std::vector<std::pair<std::string, JsonField>> members() const;
  /// All elements of an array.
  std::vector<JsonField> elements() const;

  /// A whole number in [least, most].
  std::int64_t number(std::int64_t least, std::int64_t most) const;
  double finite() const;
  const std::string& text() const;
  bool flag() const;

  /// A type that nlohmann::json converts to.
  template <class T>
  T as() const {
    try {
      return value_.get<T>();
    } catch (const nlohmann::json::exception&) {
      refuse("is not what belongs there");
    }
  }

  [[noreturn]] void refuse(const std::string& what) const;

 private:
  void require(bool holds, const char* what) const {
    if (!holds) refuse(what);
  }
  std::string file_;
  const nlohmann::json& value_;
  std::string place_;
};

/// Whether a name read from a file is a plain file name: not empty, not a path, and
/// neither "." nor "..".
bool is_file_name(const std::string& name);

/// Lets `read` parse a file's JSON; a field that is missing or of another type is an InputError
/// that names the file.
template <class Read>
auto read_fields(const std::string& file, Read read) {
  try {
    return read();
  } catch (const nlohmann::json::exception& e) {
    throw InputError(file, std::string("does not hold what knnseq writes: ") + e.what());
  }
}

}  // namespace knnseq::core
