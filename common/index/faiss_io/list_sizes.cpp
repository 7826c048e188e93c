#include "index/faiss_io/list_sizes.hpp"

#include <faiss/IndexIVF.h>

#include "index/faiss_io/faiss_file.hpp"

namespace knnseq::index {

std::vector<std::int64_t> list_sizes(const std::filesystem::path& path) {
  const FaissFile file = read_faiss_file(path);
  std::vector<std::int64_t> sizes;
  if (file.lists == nullptr) return sizes;
  for (std::size_t list = 0; list < file.lists->nlist; ++list) {
    sizes.push_back(static_cast<std::int64_t>(file.lists->invlists->list_size(list)));
  }
  return sizes;
}

}  // namespace knnseq::index
