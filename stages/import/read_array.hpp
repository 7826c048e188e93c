// Rows of the arrays of other programs, from one file or several.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/types.hpp"
#include "stages/import/foreign_array.hpp"

namespace knnseq::stages {

/// Calls visit(array, its rows, how many rows came before) for the arrays that hold these rows,
/// which are counted over all of them.
void for_each_part(
    std::span<const ForeignArray> arrays, core::Range rows,
    const std::function<void(const ForeignArray&, core::Range, std::int64_t)>& visit);

/// The bytes of rows of one array. Throws core::InputError if the file has become shorter.
void read_rows(const ForeignArray& array, core::Range rows, std::span<std::byte> bytes);

/// Rows of one column of whole numbers; −1 for those that int64 does not have.
std::vector<std::int64_t> read_numbers(const ForeignArray& array, core::Range rows);

/// What makes a row of vectors useless.
struct RowFault {
  std::int64_t row = 0;
  bool zeros = false;  ///< or else a number that is not finite
};

/// The first row of an array of floating-point numbers, of which these are rows, that is of zeros
/// only, as memory maps are where nothing was written, or has a number that is not finite.
std::optional<RowFault> find_fault(const ForeignArray& array, std::span<const std::byte> rows);

}  // namespace knnseq::stages
