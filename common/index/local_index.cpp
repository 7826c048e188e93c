#include "index/local_index.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include <faiss/IndexIVFPQ.h>
#include <faiss/invlists/InvertedLists.h>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/types.hpp"
#include "index/faiss_codebook.hpp"

namespace knnseq::index {

namespace {

using FaissId = decltype(faiss::Index::ntotal);  // its name differs between versions
static_assert(sizeof(FaissId) == sizeof(std::int64_t));

/// Entries at the positions ≡ part (mod parts) of a list of `size`.
std::size_t part_size(std::size_t size, std::size_t part, std::size_t parts) {
  return size / parts + (part < size % parts ? 1 : 0);
}

/// Every parts-th entry of a mapped list, from the part-th on. Its ids need not be aligned.
struct ListPart {
  std::vector<std::uint8_t> codes;
  std::vector<FaissId> ids;

  ListPart(const faiss::InvertedLists& lists, std::size_t list, core::Range stride)
      : codes(), ids() {
    const std::size_t size = lists.list_size(list);
    const std::size_t code_size = lists.code_size;
    const auto parts = static_cast<std::size_t>(stride.end);
    const faiss::InvertedLists::ScopedCodes list_codes(&lists, list);
    const faiss::InvertedLists::ScopedIds list_ids(&lists, list);
    const std::uint8_t* from_codes = list_codes.codes;
    const void* from_ids = list_ids.ids;
    for (auto i = static_cast<std::size_t>(stride.begin); i < size; i += parts) {
      codes.insert(codes.end(), from_codes + i * code_size, from_codes + (i + 1) * code_size);
      FaissId id = 0;
      std::memcpy(&id, static_cast<const char*>(from_ids) + i * sizeof(id), sizeof(id));
      ids.push_back(id);
    }
  }
};

void require_same_codebook(const std::filesystem::path& path, const Codebook& wanted,
                           const Codebook& found) {
  const auto fail = [&](const std::string& what) {
    throw core::InputError(path, "was made with another codebook: " + what);
  };
  const auto same = [](const at::Tensor& a, const at::Tensor& b) {
    return a.defined() == b.defined() && (!a.defined() || at::equal(a, b));
  };
  const auto shape = [](const Codebook& c) {
    return std::vector{c.spec.d_in, c.spec.d_out, c.spec.nlist, c.spec.m};
  };
  if (shape(wanted) != shape(found)) {
    fail("it is " + found.spec.factory() + ", not " + wanted.spec.factory());
  }
  if (!same(wanted.rotation, found.rotation) || !same(wanted.bias, found.bias)) {
    fail("the transforms differ");
  }
  if (!same(wanted.coarse_centroids, found.coarse_centroids)) fail("the coarse centroids differ");
  if (!same(wanted.pq_centroids, found.pq_centroids)) fail("the product quantisers differ");
}

struct Neighbour {
  float distance;
  std::int64_t id;
  bool operator<(const Neighbour& other) const {
    if (distance != other.distance) return distance < other.distance;
    return core::entry_number_of(id) < core::entry_number_of(other.id);
  }
};

/// Whether the best k of what a scan for `row.size()` found are certain: nothing was cut off, or
/// what was cut off is farther than the k-th.
bool is_certain(const std::vector<Neighbour>& sorted, std::size_t asked, std::size_t k) {
  return sorted.size() < asked || sorted[k - 1].distance < sorted.back().distance;
}

/// Results asked of one scan, over its queries: a bound for memory where ties are large.
constexpr std::int64_t most_slots = std::int64_t{1} << 22;

}  // namespace

struct LocalIndex::State {
  std::unique_ptr<faiss::IndexIVFPQ> index;

  /// One scan of some queries; rows are sorted and without missing ones.
  std::vector<std::vector<Neighbour>> scan(const at::Tensor& rotated, const Probes& probes,
                                           std::size_t count) const {
    const auto q = static_cast<std::size_t>(rotated.size(0));
    std::vector<float> distances(q * count);
    std::vector<FaissId> ids(q * count);
    const std::vector<FaissId> lists(
        probes.lists.const_data_ptr<std::int64_t>(),
        probes.lists.const_data_ptr<std::int64_t>() + probes.lists.numel());
    faiss::IVFSearchParameters parameters;
    parameters.nprobe = static_cast<std::size_t>(probes.lists.size(1));
    index->search_preassigned(static_cast<FaissId>(q), rotated.const_data_ptr<float>(),
                              static_cast<FaissId>(count), lists.data(),
                              probes.distances.const_data_ptr<float>(), distances.data(),
                              ids.data(), /*store_pairs=*/false, &parameters);
    std::vector<std::vector<Neighbour>> rows(q);
    for (std::size_t i = 0; i < q; ++i) {
      for (std::size_t j = i * count; j < (i + 1) * count && ids[j] >= 0; ++j) {
        rows[i].push_back({distances[j], ids[j]});
      }
      std::sort(rows[i].begin(), rows[i].end());
    }
    return rows;
  }
};

LocalIndex::LocalIndex(std::unique_ptr<State> state) : state_(std::move(state)) {}
LocalIndex::LocalIndex(LocalIndex&&) noexcept = default;
LocalIndex& LocalIndex::operator=(LocalIndex&&) noexcept = default;
LocalIndex::~LocalIndex() = default;

LocalIndex::LocalIndex(const Codebook& codebook) : LocalIndex(load(codebook, {})) {}

LocalIndex LocalIndex::load(const Codebook& codebook,
                            const std::vector<std::filesystem::path>& shard_files,
                            std::int64_t part, std::int64_t parts) {
  KNNSEQ_ASSERT(part >= 0 && part < parts, "no such part of a shard");
  const auto nlist = static_cast<std::size_t>(codebook.spec.nlist);
  std::vector<FaissFile> files;
  std::vector<std::size_t> sizes(nlist, 0);
  for (const auto& path : shard_files) {
    files.push_back(read_faiss_file(path));
    require_same_codebook(path, codebook, files.back().codebook);
    files.back().codebook = {};
    files.back().ivfpq->quantizer->reset();  // its centroids: one copy a shard would add up
    const faiss::InvertedLists* lists = files.back().ivfpq->invlists;
    if (lists == nullptr) throw core::InputError(path, "has no inverted lists");
    for (std::size_t list = 0; list < nlist; ++list) {
      sizes[list] += part_size(lists->list_size(list), static_cast<std::size_t>(part),
                               static_cast<std::size_t>(parts));
    }
  }

  auto state = std::make_unique<State>();
  state->index = make_faiss_ivfpq(codebook);
  faiss::InvertedLists& merged = *state->index->invlists;
  for (std::size_t list = 0; list < nlist; ++list) merged.resize(list, sizes[list]);
  std::vector<std::size_t> filled(nlist, 0);
  for (FaissFile& file : files) {
    for (std::size_t list = 0; list < nlist; ++list) {
      const ListPart kept(*file.ivfpq->invlists, list, {part, parts});
      if (kept.ids.empty()) continue;
      merged.update_entries(list, filled[list], kept.ids.size(), kept.ids.data(),
                            kept.codes.data());
      filled[list] += kept.ids.size();
    }
    file.index.reset();
  }
  state->index->ntotal =
      static_cast<FaissId>(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}));
  state->index->parallel_mode = 3;  // threads share the queries, never one query
  if (state->index->ntotal > 0) state->index->precompute_table();
  return LocalIndex(std::move(state));
}

TopK LocalIndex::search(const at::Tensor& rotated, const Probes& probes, std::int64_t k) const {
  const std::int64_t q = rotated.size(0);
  const auto width = static_cast<std::size_t>(k);
  KNNSEQ_ASSERT(
      k > 0 && probes.lists.size(0) == q && probes.distances.sizes() == probes.lists.sizes(),
      "shapes of queries and probes differ");
  TopK result{q, k, std::vector<float>(static_cast<std::size_t>(q) * width, missing_distance),
              std::vector<std::int64_t>(static_cast<std::size_t>(q) * width, missing_id)};
  if (entries() == 0) return result;

  at::Tensor open = at::arange(q, at::kLong);  // the queries without a certain answer
  at::Tensor queries = rotated.contiguous();
  Probes open_probes{probes.lists.contiguous(), probes.distances.contiguous()};
  for (std::size_t asked = width + std::max<std::size_t>(8, width / 2); open.numel() > 0;
       asked *= 2) {
    std::vector<std::int64_t> still_open;
    const auto group = std::max<std::int64_t>(1, most_slots / static_cast<std::int64_t>(asked));
    for (std::int64_t begin = 0; begin < open.numel(); begin += group) {
      const auto end = std::min(begin + group, open.numel());
      const auto rows = state_->scan(
          queries.slice(0, begin, end),
          {open_probes.lists.slice(0, begin, end), open_probes.distances.slice(0, begin, end)},
          asked);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto at = begin + static_cast<std::int64_t>(i);
        if (!is_certain(rows[i], asked, width)) {
          still_open.push_back(at);
          continue;
        }
        const auto row = static_cast<std::size_t>(open.const_data_ptr<std::int64_t>()[at]) * width;
        for (std::size_t j = 0; j < std::min(width, rows[i].size()); ++j) {
          result.distances[row + j] = rows[i][j].distance;
          result.ids[row + j] = rows[i][j].id;
        }
      }
    }
    const at::Tensor again = at::tensor(still_open, at::kLong);
    open = at::index_select(open, 0, again);
    queries = at::index_select(queries, 0, again);
    open_probes = {at::index_select(open_probes.lists, 0, again),
                   at::index_select(open_probes.distances, 0, again)};
  }
  return result;
}

bool LocalIndex::has_tables() const { return state_->index->precomputed_table.size() > 0; }

std::int64_t LocalIndex::entries() const { return state_->index->ntotal; }

std::int64_t LocalIndex::bytes() const {
  const faiss::IndexIVFPQ& index = *state_->index;
  const auto lists = static_cast<std::size_t>(index.ntotal) * (index.code_size + sizeof(FaissId));
  const auto tables = index.precomputed_table.size() * sizeof(float) +
                      index.nlist * static_cast<std::size_t>(index.d) * sizeof(float);
  return static_cast<std::int64_t>(lists + tables);
}

}  // namespace knnseq::index
