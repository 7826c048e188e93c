// faiss's inverted lists while they are filled; for the .cpp files of this module.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <faiss/IndexIVF.h>

#include "index/faiss_io/codebook.hpp"

namespace knnseq::index {

class FaissLists {
 public:
  /// Lists of these sizes ([nlist], all that append() will bring).
  FaissLists(const Codebook& codebook, std::span<const std::int64_t> sizes);

  /// As ListIndex::append(). Calls for different lists may run at the same time.
  void append(std::int64_t list, std::span<const std::uint8_t> codes,
              std::span<const std::int64_t> ids);

  faiss::IndexIVF& index() { return *index_; }
  const faiss::IndexIVF& index() const { return *index_; }

 private:
  std::unique_ptr<faiss::IndexIVF> index_;
  std::vector<std::size_t> filled_;
};

}  // namespace knnseq::index
