// The numbers of what a run directory says of itself. Private to this module.
#pragma once

#include <string>

#include "core/files.hpp"

namespace knnseq::store {

/// Whoever wrote a file can also have made its checksum. Throws core::InputError, naming `file` and
/// the key, where a count that readers multiply or allocate with (entries, widths, bytes, rows, …)
/// is not a whole number in the range that such a count can have.
void check_counts(const core::Json& json, const std::string& file);

/// JSON has no infinity and no NaN: they would be written as null, and mean that nothing is set.
/// Throws std::logic_error for the first one.
void require_finite(const core::Json& json);

}  // namespace knnseq::store
