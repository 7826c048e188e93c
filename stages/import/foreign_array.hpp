// Finds out what arrays the files of other programs hold.
#pragma once

#include "stages/import/foreign_store.hpp"

namespace knnseq::stages {

/// A file of keys ([rows, columns] of floating-point numbers), except that nothing is known yet of
/// one without a header, a config.json or a size in its name: its type is then empty. Throws
/// core::InputError naming the file.
ForeignArray find_keys(const std::filesystem::path& path);
/// Likewise a file of values ([rows] or [rows, 1] of whole numbers).
ForeignArray find_values(const std::filesystem::path& path);

/// Shapes of a pair of memory maps without any description, as adaptive-kNN-MT writes them: values
/// of 64 bits, keys of `width` numbers. Throws core::InputError if their sizes do not fit.
void infer_shapes(ForeignArray& keys, ForeignArray& values, std::int64_t width);

}  // namespace knnseq::stages
