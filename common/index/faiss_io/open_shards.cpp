#include "index/faiss_io/open_shards.hpp"

#include <faiss/IndexFlatCodes.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/invlists/InvertedLists.h>

#include "core/error.hpp"
#include "core/types.hpp"
#include "index/faiss_io/shard_check.hpp"

namespace knnseq::index {

namespace {

void require_entries(const FaissFile& file, const EntryCheck& check) {
  if (file.lists == nullptr) {
    check.ids(file.ids.data(), file.ids.size());
    const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(file.core);
    const auto* coded =
        dynamic_cast<const faiss::IndexFlatCodes*>(graph != nullptr ? graph->storage : file.core);
    if (coded != nullptr) check.codes(coded->codes.data(), coded->codes.size());
    return;
  }
  const faiss::InvertedLists& lists = *file.lists->invlists;
  for (std::size_t list = 0; list < lists.nlist; ++list) {
    const std::size_t size = lists.list_size(list);
    if (size == 0) continue;
    const faiss::InvertedLists::ScopedCodes codes(&lists, list);
    const faiss::InvertedLists::ScopedIds ids(&lists, list);
    check.ids(ids.ids, size);
    check.codes(codes.codes, size * lists.code_size);
  }
}

}  // namespace

std::vector<FaissFile> open_shards(const Codebook& codebook,
                                   const std::vector<std::filesystem::path>& shard_files,
                                   const IdBounds& ids) {
  std::vector<FaissFile> files;
  for (const auto& path : shard_files) {
    files.push_back(read_faiss_file(path));
    FaissFile& file = files.back();
    require_same_codebook(path, codebook, file.codebook);
    file.codebook = {};
    if (file.lists != nullptr) {
      file.lists->quantizer->reset();  // frees its centroids: a copy per shard would add up
    } else if (std::cmp_not_equal(file.ids.size(), file.core->ntotal)) {
      throw core::InputError(path, "has no ids");
    }
    require_entries(file, {path, codebook.spec, ids});
  }
  return files;
}

}  // namespace knnseq::index
