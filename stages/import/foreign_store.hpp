// Keys and values as other programs have stored them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "core/types.hpp"
#include "stages/import/foreign_array.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// What must fit the model.
struct ModelShape {
  std::int64_t width = 0;       ///< of a key
  std::int64_t vocab_size = 0;  ///< of the target side
};

/// A store of keys and values, in one or several files; a row is an entry, its number that of all
/// files in their order. Holds no file open. Nothing in a file is unpickled or run.
class ForeignStore {
 public:
  /// Finds out what the files of `import:` are: NumPy's with a header (.npy), HDF5 files of
  /// knn-seq, or memory maps without a header, whose size stands in a config.json beside them
  /// (knn-box), in their names (knn-transformers), or follows from that of the files, with values
  /// of 64 bits (adaptive-kNN-MT). Throws core::InputError naming the file if it is none of these,
  /// keys are not fp16 or fp32 of the model's width, or values and keys are not equally many.
  ForeignStore(const ImportOptions& options, const ModelShape& model);

  std::int64_t entries() const { return entries_; }
  std::int64_t width() const { return keys_.front().columns; }
  /// Entries of each file of keys.
  std::vector<core::Range> parts() const;
  KeyType key_type() const;
  /// Names of the programs that the files come from, and what is known of them, for manifests.
  core::Json describe() const;
  /// All files, in an order that depends on the options only.
  std::vector<std::filesystem::path> files() const;

  /// Keys of entries as they are stored, [rows, width] of key_type(). Throws core::InputError
  /// naming file and row if one holds a number that is not finite, or zeros only, as memory maps do
  /// where nothing was written.
  void read_keys(core::Range entries, std::span<std::byte> keys) const;
  /// Tokens of entries. Throws core::InputError naming file and row of one that the model's
  /// vocabulary does not have.
  std::vector<std::uint32_t> read_values(core::Range entries) const;

 private:
  std::vector<ForeignArray> keys_, values_;  ///< of equally many rows in pairs
  std::int64_t entries_ = 0;
  std::int64_t vocab_size_ = 0;
};

}  // namespace knnseq::stages
