#include "index/faiss_io/open_shards.hpp"

#include <cmath>
#include <cstring>

#include <faiss/IndexFlatCodes.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/invlists/InvertedLists.h>
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
                     core::name_of(found.spec.metric), wanted.spec.factory(),
                     core::name_of(wanted.spec.metric)));
  }
  if (!same(wanted.rotation, found.rotation) || !same(wanted.bias, found.bias)) {
    fail("the transforms differ");
  }
  if (!same(wanted.coarse_centroids, found.coarse_centroids)) fail("the coarse centroids differ");
  if (!same(wanted.pq_centroids, found.pq_centroids)) fail("the product quantisers differ");
}

/// Entries of one list, or all of an index without lists. Mapped ones need not be aligned.
class EntryCheck {
 public:
  EntryCheck(const std::filesystem::path& path, const IndexSpec& spec, const IdBounds& bounds)
      : path_(path), has_vectors_(!spec.has_quantizer()), bounds_(bounds) {}

  void ids(const void* packed, std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i) {
      const auto id = at<std::int64_t>(packed, i);
      if (bounds_.contain(id)) continue;
      throw core::InputError(
          path_, fmt::format("holds the entry {} with token {}; there are {} entries and {} tokens",
                             core::entry_number_of(id), id >> core::entry_number_bits,
                             bounds_.entries, bounds_.tokens));
    }
  }

  /// bytes: of the entries' codes, which are fp32 vectors if the index has no quantiser.
  void codes(const void* codes, std::size_t bytes) const {
    if (!has_vectors_) return;
    for (std::size_t i = 0; i < bytes / sizeof(float); ++i) {
      if (std::isfinite(at<float>(codes, i))) continue;
      throw core::InputError(path_, "holds vectors that are not finite");
    }
  }

 private:
  template <class T>
  static T at(const void* from, std::size_t i) {
    T value{};
    std::memcpy(&value, static_cast<const char*>(from) + i * sizeof(T), sizeof(T));
    return value;
  }

  const std::filesystem::path& path_;
  bool has_vectors_;
  const IdBounds& bounds_;
};

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
