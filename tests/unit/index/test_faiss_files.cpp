// Files that faiss reads without complaint, though one number in them is wrong.
#include <cmath>
#include <functional>

#include <catch2/catch.hpp>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexPQ.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/VectorTransform.h>
#include <faiss/index_io.h>
#include <faiss/invlists/OnDiskInvertedLists.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "index/search/local_index.hpp"
#include "support/temporary_folder.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;

namespace {

constexpr std::int64_t entries = 600;
constexpr std::int64_t tokens = 97;  // as test::coded_entries() has them

/// A good file of its kind, to be damaged.
class Sample {
 public:
  explicit Sample(const std::string& factory)
      : codebook_(test::random_codebook(index::parse_index_spec(factory, test::key_width))) {
    index::write_local_index(
        path_, codebook_,
        test::coded_entries(codebook_, test::clustered(entries, test::key_width, 3)));
    good_ = core::read_file(path_);
  }

  /// Reads the good file with faiss, lets `damage` change it, and writes it.
  template <class Core>
  void damage(const std::function<void(Core& core, faiss::Index& whole)>& damage) const {
    core::write_file_durably(path_, good_);
    const std::unique_ptr<faiss::Index> whole(faiss::read_index(path_.c_str()));
    faiss::Index* core = whole.get();
    if (auto* outer = dynamic_cast<faiss::IndexPreTransform*>(core)) core = outer->index;
    if (auto* map = dynamic_cast<faiss::IndexIDMap*>(core)) core = map->index;
    damage(dynamic_cast<Core&>(*core), *whole);
    faiss::write_index(whole.get(), path_.c_str());
  }

  void write(const std::string& bytes) const { core::write_file_durably(path_, bytes); }
  const std::string& good() const { return good_; }

  /// What the file is refused for; empty if it is not.
  std::string refusal() const {
    index::LocalIndexOptions options;
    options.ids = {tokens, entries};
    try {
      index::load_local_index(codebook_, {path_}, options);
    } catch (const core::InputError& e) {
      CHECK_THAT(e.what(), Catch::StartsWith(path_.string()));
      return e.what();
    }
    return "";
  }

 private:
  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "shard-00000.faiss";
  index::Codebook codebook_;
  std::string good_;
};

template <class Core>
struct Damage {
  const char* message;
  std::function<void(Core& core, faiss::Index& whole)> damage;
};

template <class Core>
void check(const Sample& sample, const std::vector<Damage<Core>>& cases) {
  CHECK(sample.refusal().empty());
  for (const auto& [message, damage] : cases) {
    sample.damage<Core>(damage);
    CHECK_THAT(sample.refusal(), Catch::Contains(message));
  }
}

std::int64_t& id_of(faiss::Index& whole, std::size_t i) {
  return dynamic_cast<faiss::IndexIDMap&>(whole).id_map[i];
}

/// A node that is on the second level, or only on the lowest.
std::size_t node_of(const faiss::HNSW& graph, bool above) {
  std::size_t node = 0;
  while ((graph.levels[node] > 1) != above) ++node;
  return node;
}

faiss::IndexFlat& vectors_of(faiss::IndexHNSW& graph) {
  return dynamic_cast<faiss::IndexFlat&>(*graph.storage);
}

void leave_out_last(faiss::IndexFlat& flat) {
  --flat.ntotal;
  flat.codes.resize(flat.codes.size() - flat.code_size);
}

using Graph = faiss::IndexHNSW;
using Lists = faiss::IndexIVFPQ;
using Codes = faiss::IndexPQ;
using Packed = faiss::IndexPQFastScan;
using Any = faiss::Index;

}  // namespace

TEST_CASE("a graph whose numbers lead out of it is refused") {
  check<Graph>(
      Sample("HNSW8"),
      {{"entry point", [](Graph& g, Any&) { g.hnsw.entry_point = entries; }},
       {"entry point", [](Graph& g, Any&) { g.hnsw.entry_point = -1; }},
       {"entry point",
        [](Graph& g, Any&) { g.hnsw.entry_point = static_cast<int>(node_of(g.hnsw, false)); }},
       {"highest level", [](Graph& g, Any&) { ++g.hnsw.max_level; }},
       {"highest level", [](Graph& g, Any&) { g.hnsw.max_level = -1; }},
       {"level is outside", [](Graph& g, Any&) { g.hnsw.levels[3] = 0; }},
       {"level is outside", [](Graph& g, Any&) { g.hnsw.levels[3] = 1 << 30; }},
       {"offset does not fit", [](Graph& g, Any&) { ++g.hnsw.levels[3]; }},
       {"offset does not fit", [](Graph& g, Any&) { g.hnsw.offsets[5] = std::size_t{1} << 60; }},
       {"do not have its nodes", [](Graph& g, Any&) { g.hnsw.offsets[0] = 1; }},
       {"do not have its nodes", [](Graph& g, Any&) { g.hnsw.neighbors.pop_back(); }},
       {"leads out", [](Graph& g, Any&) { g.hnsw.neighbors[0] = entries; }},
       {"leads out", [](Graph& g, Any&) { g.hnsw.neighbors.back() = -2; }},
       {"leads out",
        [](Graph& g, Any&) {
          const auto links = g.hnsw.offsets[node_of(g.hnsw, true)] + 16;
          g.hnsw.neighbors[links] = static_cast<int>(node_of(g.hnsw, false));
        }},
       {"links of one number", [](Graph& g, Any&) { g.hnsw.cum_nneighbor_per_level[1] = 1000; }},
       {"links of one number", [](Graph& g, Any&) { g.hnsw.cum_nneighbor_per_level[0] = -16; }},
       {"links of its levels", [](Graph& g, Any&) { g.hnsw.cum_nneighbor_per_level.resize(2); }},
       {"numbers of nodes and entries", [](Graph& g, Any&) { g.hnsw.levels.pop_back(); }},
       {"numbers of nodes and offsets", [](Graph& g, Any&) { g.hnsw.offsets.pop_back(); }},
       {"of other vectors", [](Graph& g, Any&) { leave_out_last(vectors_of(g)); }},
       {"of other vectors",
        [](Graph& g, Any&) {
          vectors_of(g).d = 2 * test::key_width;
          vectors_of(g).ntotal = entries / 2;
        }},
       {"another metric",
        [](Graph& g, Any&) { vectors_of(g).metric_type = faiss::METRIC_INNER_PRODUCT; }},
       {"not finite", [](Graph& g, Any&) { vectors_of(g).get_xb()[7] = std::nanf(""); }}});
}

TEST_CASE("lists whose numbers do not fit are refused") {
  const test::TemporaryFolder folder;
  const Sample sample("OPQ4_8,IVF8,PQ4");
  const auto chain = [](faiss::Index& whole) {
    return dynamic_cast<faiss::LinearTransform*>(
        dynamic_cast<faiss::IndexPreTransform&>(whole).chain[0]);
  };
  const auto lists = [](Lists& core) -> faiss::ArrayInvertedLists& {
    return dynamic_cast<faiss::ArrayInvertedLists&>(*core.invlists);
  };
  const auto filled = [&](Lists& core) -> std::size_t {
    std::size_t list = 0;
    while (lists(core).ids[list].size() < 2) ++list;
    return list;
  };
  check<Lists>(
      sample,
      {{"coarse centroids and lists", [](Lists& l, Any&) { l.nlist = 9; }},
       {"coarse centroids and lists", [](Lists& l, Any&) { l.nlist = std::size_t{1} << 60; }},
       {"coarse centroids and lists",
        [](Lists& l, Any&) { leave_out_last(dynamic_cast<faiss::IndexFlat&>(*l.quantizer)); }},
       {"another metric",
        [](Lists& l, Any&) { l.quantizer->metric_type = faiss::METRIC_INNER_PRODUCT; }},
       {"fit its width", [](Lists& l, Any&) { l.pq.M = 0; }},
       {"fit its width", [](Lists& l, Any&) { l.pq.d = 0; }},
       {"fit its width", [](Lists& l, Any&) { l.pq.nbits = 60; }},
       {"centroid for each code", [](Lists& l, Any&) { l.pq.centroids.pop_back(); }},
       {"not finite", [](Lists& l, Any&) { l.pq.centroids[5] = INFINITY; }},
       {"not of residuals", [](Lists& l, Any&) { l.by_residual = false; }},
       {"of another length", [](Lists& l, Any&) { l.code_size = 5; }},
       {"of another kind", [&](Lists& l, Any&) { lists(l).code_size = 1; }},
       {"map of its entries", [](Lists& l, Any&) { l.direct_map.type = faiss::DirectMap::Array; }},
       {"not in the file",
        [&](Lists& l, Any&) {
          const auto path = (folder / "elsewhere").string();
          l.replace_invlists(new faiss::OnDiskInvertedLists(8, 4, path.c_str()), true);
        }},
       {"not in the file", [](Lists& l, Any&) { l.replace_invlists(nullptr); }},
       {"cannot hold", [](Lists& l, Any&) { l.ntotal = std::int64_t{1} << 60; }},
       {"cannot hold", [](Lists& l, Any&) { l.ntotal = -1; }},
       {"fewer entries", [](Lists& l, Any&) { ++l.ntotal; }},
       {"more entries", [](Lists& l, Any&) { --l.ntotal; }},
       {"holds the entry 600",
        [&](Lists& l, Any&) { lists(l).ids[filled(l)][1] = core::pack_entry_id(96, 600); }},
       {"token 97",
        [&](Lists& l, Any&) { lists(l).ids[filled(l)][1] = core::pack_entry_id(97, 599); }},
       {"holds the entry", [&](Lists& l, Any&) { lists(l).ids[filled(l)][0] = -1; }},
       {"matrix", [&](Lists&, Any& whole) { chain(whole)->d_in = 17; }},
       {"positive", [&](Lists&, Any& whole) { chain(whole)->d_out = -8; }},
       {"do not fit together",
        [&](Lists&, Any& whole) { std::swap(chain(whole)->d_in, chain(whole)->d_out); }},
       {"not trained", [](Lists& l, Any&) { l.is_trained = false; }},
       {"metric", [](Lists& l, Any&) { l.metric_type = faiss::METRIC_L1; }}});
}

TEST_CASE("codes that do not fit are refused") {
  check<Packed>(Sample("PQ8x4fs"),
                {{"blocks", [](Packed& p, Any&) { p.bbs = 64; }},
                 {"blocks", [](Packed& p, Any&) { p.qbs = 0x33; }},
                 {"packed codes", [](Packed& p, Any&) { p.ntotal2 += 32; }},
                 {"packed codes", [](Packed& p, Any&) { p.M2 = 16; }},
                 {"packed codes", [](Packed& p, Any&) { p.codes.resize(p.codes.size() / 2); }},
                 {"packed codes", [](Packed& p, Any&) { p.ntotal += 100; }},
                 {"packed codes", [](Packed& p, Any&) { p.pq.M = 4; }},
                 {"centroid for each code", [](Packed& p, Any&) { p.pq.nbits = 8; }},
                 {"numbers of entries", [](Packed& p, Any&) { --p.ntotal; }}});
  check<Codes>(
      Sample("PQ4"),
      {{"another way", [](Codes& c, Any&) { c.search_type = faiss::IndexPQ::ST_SDC; }},
       {"numbers of codes and entries", [](Codes& c, Any&) { c.codes.pop_back(); }},
       {"numbers of codes and entries", [](Codes& c, Any&) { c.pq.M = 2; }},
       {"numbers of ids and entries",
        [](Codes&, Any& whole) { dynamic_cast<faiss::IndexIDMap&>(whole).id_map.pop_back(); }},
       {"holds the entry 600",
        [](Codes&, Any& whole) { id_of(whole, 5) = core::pack_entry_id(3, 600); }}});
  check<faiss::IndexFlat>(
      Sample("Flat"),
      {{"numbers of vectors and entries", [](faiss::IndexFlat& f, Any&) { f.codes.resize(64); }},
       {"not finite", [](faiss::IndexFlat& f, Any&) { f.get_xb()[99] = INFINITY; }},
       {"another codebook",
        [](faiss::IndexFlat& f, Any&) { f.metric_type = faiss::METRIC_INNER_PRODUCT; }}});
}

TEST_CASE("a size that no file has is refused before memory is taken for it") {
  const Sample sample(
      GENERATE("HNSW8", "IVF8_HNSW4,PQ4", "PQ8x4fs", "PCA8,IVF8,Flat", "OPQ4_8,PQ4"));
  // What a byte stands for decides what is said; nothing may be allocated, and nothing may crash.
  for (const std::uint64_t size : {std::uint64_t{1} << 39, std::uint64_t{1} << 60}) {
    for (std::size_t at = 0; at + sizeof(size) < std::min<std::size_t>(sample.good().size(), 500);
         ++at) {
      auto bytes = sample.good();
      std::memcpy(bytes.data() + at, &size, sizeof(size));
      sample.write(bytes);
      const auto refusal = sample.refusal();
      CHECK_THAT(refusal, !Catch::Contains("bad_alloc") && !Catch::Contains("vector"));
    }
  }
}

TEST_CASE("what is behind the end of an index, or of another kind, is refused") {
  const Sample sample("IVF8,PQ4");
  sample.write(sample.good() + "x");
  CHECK_THAT(sample.refusal(), Catch::Contains("after its end"));
  auto bytes = sample.good();
  bytes.replace(0, 4, "IwQR");
  sample.write(bytes);
  CHECK_THAT(sample.refusal(), Catch::Contains("not supported"));
}
