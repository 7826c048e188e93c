// Opens all input files: models, corpora, configs, and what a run directory holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>

#include <sys/stat.h>

namespace knnseq::core {

/// Throws InputError, saying what the file is, unless it is a regular file.
void require_regular(const struct stat& info, const std::filesystem::path& path);

/// A regular file, open for reading. Folders, pipes, sockets and devices are refused without
/// waiting: a pipe can be read only once, but every rank and stage reads its inputs itself.
class InputFile {
 public:
  /// Throws InputError if the file is missing, unreadable or not a regular file.
  explicit InputFile(std::filesystem::path path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  std::int64_t bytes() const { return bytes_; }  ///< when it was opened

  void seek(std::int64_t offset);
  /// Fills `out` from where the last call ended; less only at the file's end. Returns the bytes
  /// read. Throws SystemError.
  std::size_t read(std::span<char> out);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::int64_t bytes_ = 0;
};

/// Why a path leads nowhere: "no such file", and what a relative one is relative to.
std::string no_such_file(const std::filesystem::path& path);

/// Throws InputError unless there is a file or folder at a model's path. A name as on the Hugging
/// Face hub gets the command that downloads it.
void require_model_path(const std::filesystem::path& path);

/// The first bytes of a file, at most `most_bytes`. Throws as InputFile does.
std::string read_head(const std::filesystem::path& path, std::size_t most_bytes);

inline constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

/// All bytes of a file. Throws as InputFile does, and InputError if there are more than
/// `most_bytes`.
std::string read_whole(const std::filesystem::path& path, std::int64_t most_bytes);

/// Size limit of a model's files that are read whole: vocabularies, SentencePiece models,
/// dictionaries, JSON. The largest in use have some 30 MiB.
inline constexpr std::int64_t most_model_file_bytes = std::int64_t{256} << 20;

/// A file of a model that is read whole. Throws as read_whole, and InputError if the file is
/// recognised as something else (file_kind.hpp).
std::string read_model_file(const std::filesystem::path& path);

}  // namespace knnseq::core
