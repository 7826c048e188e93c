// The numbers in a run directory's own JSON files. Private to this module.
#pragma once

#include <string>

#include "core/files.hpp"

namespace knnseq::store {

/// A valid checksum proves nothing, since whoever edits a file can renew it. Throws
/// core::InputError, naming `file` and the key, if a count that readers multiply or allocate with
/// (entries, widths, bytes, rows, …) is not a whole number in the range of such counts.
void check_counts(const core::Json& json, const std::string& file);

/// JSON has no infinity and no NaN: they would be written as null, and mean that nothing is set.
/// Throws std::logic_error for the first one.
void require_finite(const core::Json& json);

}  // namespace knnseq::store
