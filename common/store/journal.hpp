// An append-only record of finished work that survives a kill at any moment.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "core/json_field.hpp"

namespace knnseq::store {

/// One JSON object a line, after its checksum; fsynced line by line. A torn last line is ignored
/// when it is read back. The checksums also cover the owner, which names what the records are
/// about: a journal in the place of another counts as damaged.
class Journal {
 public:
  /// Opens for appending; creates the file. A torn last line is cut off.
  Journal(std::filesystem::path path, std::string owner);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Durable when it returns. Throws core::SystemError.
  void append(const core::Json& record);

  /// Throws core::InputError if a record does not hold what is written into this journal.
  using Check = std::function<void(const core::JsonField& record)>;

  /// All whole records. Throws core::InputError if a line before the last is damaged, or one
  /// holds no JSON.
  static std::vector<core::Json> read(const std::filesystem::path& path, const std::string& owner,
                                      const Check& check = {});
  /// Those of all files in `folder` whose names start with `prefix`, in order of their names.
  static std::vector<core::Json> read_all(const std::filesystem::path& folder,
                                          const std::string& prefix, const std::string& owner,
                                          const Check& check = {});

 private:
  std::filesystem::path path_;
  std::string owner_;
  int fd_ = -1;
};

/// Files in `folder` whose names start with `prefix`, sorted by name.
std::vector<std::filesystem::path> files_with_prefix(const std::filesystem::path& folder,
                                                     const std::string& prefix);

}  // namespace knnseq::store
