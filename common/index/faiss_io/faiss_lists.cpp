#include "index/faiss_io/faiss_lists.hpp"

#include <faiss/invlists/InvertedLists.h>

#include "index/faiss_io/faiss_codebook.hpp"

namespace knnseq::index {

FaissLists::FaissLists(const Codebook& codebook, std::span<const std::int64_t> sizes)
    : index_(make_faiss_lists(codebook)), filled_(sizes.size(), 0) {
  for (std::size_t list = 0; list < sizes.size(); ++list) {
    index_->invlists->resize(list, sizes[list]);
    index_->ntotal += sizes[list];
  }
}

void FaissLists::append(std::int64_t list, std::span<const std::uint8_t> codes,
                        std::span<const std::int64_t> ids) {
  if (ids.empty()) return;
  std::size_t& filled = filled_[list];
  const std::vector<FaissId> faiss_ids(ids.begin(), ids.end());
  index_->invlists->update_entries(list, filled, ids.size(), faiss_ids.data(), codes.data());
  filled += ids.size();
}

}  // namespace knnseq::index
