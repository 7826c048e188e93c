#include "index/open_shards.hpp"

#include <faiss/IndexIVF.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "core/types.hpp"

namespace knnseq::index {

namespace {

void require_same_codebook(const std::filesystem::path& path, const Codebook& wanted,
                           const Codebook& found) {
  const auto fail = [&](const std::string& what) {
    throw core::InputError(path, "was made with another codebook: " + what);
  };
  const auto same = [](const at::Tensor& a, const at::Tensor& b) {
    return a.defined() == b.defined() && (!a.defined() || at::equal(a, b));
  };
  const auto shape = [](const Codebook& c) {
    const IndexSpec& s = c.spec;
    return std::vector{s.d_in,
                       s.d_out,
                       s.nlist,
                       s.m,
                       s.edges,
                       s.coarse_edges,
                       static_cast<std::int64_t>(s.storage),
                       static_cast<std::int64_t>(s.metric)};
  };
  if (shape(wanted) != shape(found)) {
    fail(fmt::format("it is {} ({}), not {} ({})", found.spec.factory(),
                     to_string(found.spec.metric), wanted.spec.factory(),
                     to_string(wanted.spec.metric)));
  }
  if (!same(wanted.rotation, found.rotation) || !same(wanted.bias, found.bias)) {
    fail("the transforms differ");
  }
  if (!same(wanted.coarse_centroids, found.coarse_centroids)) fail("the coarse centroids differ");
  if (!same(wanted.pq_centroids, found.pq_centroids)) fail("the product quantisers differ");
}

}  // namespace

std::vector<FaissFile> open_shards(const Codebook& codebook,
                                   const std::vector<std::filesystem::path>& shard_files) {
  std::vector<FaissFile> files;
  for (const auto& path : shard_files) {
    files.push_back(read_faiss_file(path));
    FaissFile& file = files.back();
    require_same_codebook(path, codebook, file.codebook);
    file.codebook = {};
    if (file.lists != nullptr) {
      file.lists->quantizer->reset();  // its centroids: one copy a shard would add up
      if (file.lists->invlists == nullptr) throw core::InputError(path, "has no inverted lists");
    } else if (std::cmp_not_equal(file.ids.size(), file.core->ntotal)) {
      throw core::InputError(path, "has no ids");
    }
  }
  return files;
}

}  // namespace knnseq::index
