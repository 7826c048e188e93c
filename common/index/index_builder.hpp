// Writes one shard's inverted lists.
#pragma once

#include <filesystem>

#include "index/codebook.hpp"

namespace knnseq::index {

/// The entries of one shard, as Coder made them.
struct CodedEntries {
  at::Tensor lists;  ///< int32 [n]
  at::Tensor codes;  ///< uint8 [n, m]
  at::Tensor ids;    ///< int64 [n], packed entry ids (core/entry_id.hpp)
};

/// Writes an ordinary faiss file that holds codebook and entries, those of a list in the order of
/// their entry numbers; durably, and with the same bytes each time whatever order the entries came
/// in. Needs 8 bytes of memory an entry beside its arguments. Throws core::SystemError.
void write_local_index(const std::filesystem::path& path, const Codebook& codebook,
                       const CodedEntries& entries);

}  // namespace knnseq::index
