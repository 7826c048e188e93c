// Entries as an index stores them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

namespace knnseq::index {

/// Some entries, as VectorQuantizer made them.
struct CodedEntries {
  at::Tensor lists;  ///< int32 [n]; undefined in an index without lists
  at::Tensor codes;  ///< uint8 [n, code_bytes]
  at::Tensor ids;    ///< int64 [n], packed entry ids (core/entry_id.hpp)
};

/// Positions of all entries by list and, in a list, by entry number.
struct ListOrder {
  std::vector<std::uint64_t> sizes;     ///< [nlist]
  std::vector<std::int64_t> positions;  ///< [n]
};

/// Of an index without lists (`nlist` 0): one list of all.
ListOrder order_by_list(const CodedEntries& entries, std::int64_t nlist);

/// The elements of a contiguous tensor.
template <class T>
std::span<const T> span_of(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<T>(), static_cast<std::size_t>(tensor.numel())};
}

}  // namespace knnseq::index
