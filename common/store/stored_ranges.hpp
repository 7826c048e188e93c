// Checks what manifests and journals say of an HDF5 file's bytes, before it is used.
#pragma once

#include "core/json_field.hpp"

namespace knnseq::store {

/// A committed range of rows: {"dataset", "first_row", "bytes", "checksum"} and perhaps "aside".
/// Throws core::InputError as all of JsonField does.
void require_range(const core::JsonField& range);

/// What describe_structure() gives.
void require_structure(const core::JsonField& structure);

/// {"structure", "units"} as ShardFile::finish() gives them.
void require_shard(const core::JsonField& shard);

}  // namespace knnseq::store
