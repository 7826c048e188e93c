// Finds out what arrays the files of other programs hold.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace knnseq::stages {

/// An array that lies in one piece in a file, row by row, little-endian.
struct ForeignArray {
  std::filesystem::path path;
  std::string origin;           ///< the program that writes such files: "numpy", "knn-seq", …
  std::int64_t first_byte = 0;  ///< of the array in the file
  std::string type;  ///< as NumPy calls it without byte order: "f2", "f4", "i4", "i8", …
  std::int64_t rows = 0;
  std::int64_t columns = 1;

  std::int64_t value_bytes() const { return type.back() - '0'; }
  std::int64_t row_bytes() const { return columns * value_bytes(); }
};

/// A file of keys ([rows, columns] of floating-point numbers), except that nothing is known yet of
/// one without a header, a config.json or a size in its name: its type is then empty. Throws
/// core::InputError naming the file.
ForeignArray find_keys(const std::filesystem::path& path);
/// Likewise a file of values ([rows] or [rows, 1] of whole numbers).
ForeignArray find_values(const std::filesystem::path& path);
/// What knn-seq's file of values says of its sentences: `lengths` or `sort_order`, [rows] of whole
/// numbers. Throws core::InputError naming file and dataset.
ForeignArray find_of_sentences(const std::filesystem::path& path, const std::string& dataset);
/// A file of sentence features: HDF5 of knn-seq or .npy, [rows, columns] of floating-point numbers.
/// Throws core::InputError naming the file.
ForeignArray find_features(const std::filesystem::path& path);

/// Shapes of a pair of memory maps without any description, as adaptive-kNN-MT writes them: values
/// of 64 bits, keys of `width` numbers. Throws core::InputError if their sizes do not fit.
void infer_shapes(ForeignArray& keys, ForeignArray& values, std::int64_t width);

}  // namespace knnseq::stages
