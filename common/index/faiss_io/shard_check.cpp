#include "index/faiss_io/shard_check.hpp"

#include <cmath>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "core/entry_id.hpp"
#include "core/error.hpp"

namespace knnseq::index {

namespace {

template <class T>
T element(const void* from, std::size_t i) {
  T value{};
  std::memcpy(&value, static_cast<const char*>(from) + i * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

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

void EntryCheck::ids(const void* packed, std::size_t count) const {
  for (std::size_t i = 0; i < count; ++i) {
    const auto id = element<std::int64_t>(packed, i);
    if (bounds_.contain(id)) continue;
    throw core::InputError(
        path_, fmt::format("holds the entry {} with token {}; there are {} entries and {} tokens",
                           core::entry_number_of(id), id >> core::entry_number_bits,
                           bounds_.entries, bounds_.tokens));
  }
}

void EntryCheck::codes(const void* codes, std::size_t bytes) const {
  if (!has_vectors_) return;
  for (std::size_t i = 0; i < bytes / sizeof(float); ++i) {
    if (std::isfinite(element<float>(codes, i))) continue;
    throw core::InputError(path_, "holds vectors that are not finite");
  }
}

}  // namespace knnseq::index
