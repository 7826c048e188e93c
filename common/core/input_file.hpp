// What comes from outside is opened here: models, corpora, configs, and what a run directory holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>

#include <sys/stat.h>

namespace knnseq::core {

/// Throws InputError naming what it is where this is no regular file.
void require_regular(const struct stat& info, const std::filesystem::path& path);

/// A regular file, open for reading. Folders, pipes, sockets and devices are refused without being
/// waited for: a pipe can be read once, and every rank and stage reads its inputs anew.
class InputFile {
 public:
  /// Throws InputError where the file is missing, unreadable or not a regular file.
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

/// The first bytes of a file, at most so many. Throws as InputFile does.
std::string read_head(const std::filesystem::path& path, std::size_t most_bytes);

inline constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

/// All bytes of a file. Throws as InputFile does, and InputError where there are more than
/// `most_bytes`.
std::string read_whole(const std::filesystem::path& path, std::int64_t most_bytes);

/// Bytes of the largest file of a model that is read whole: vocabularies, SentencePiece models,
/// dictionaries, JSON. The largest in use have some 30 MiB.
inline constexpr std::int64_t most_model_file_bytes = std::int64_t{256} << 20;

/// A file of a model that is read whole. Throws as read_whole, and InputError where the file is
/// recognised as something else (file_kind.hpp).
std::string read_model_file(const std::filesystem::path& path);

}  // namespace knnseq::core
