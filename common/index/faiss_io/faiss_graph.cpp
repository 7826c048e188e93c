#include "index/faiss_io/faiss_graph.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <faiss/IndexHNSW.h>

#include "core/error.hpp"

namespace knnseq::index {

namespace {

class GraphCheck {
 public:
  GraphCheck(const std::filesystem::path& path, const faiss::IndexHNSW& graph)
      : path_(path), hnsw_(graph.hnsw), nodes_(graph.ntotal) {}

  std::int64_t edges() const {
    const std::vector<std::int64_t> links(hnsw_.cum_nneighbor_per_level.begin(),
                                          hnsw_.cum_nneighbor_per_level.end());
    require(links.size() > 2, "the links of its levels are missing");
    const std::int64_t edges = links[2] - links[1];
    bool regular = edges > 0 && links[0] == 0 && links[1] == 2 * edges;
    for (std::size_t i = 2; i < links.size(); ++i) regular &= links[i] - links[i - 1] == edges;
    require(regular, "its levels do not have links of one number, twice that on the lowest");
    return edges;
  }

  void nodes() const {
    const auto levels = std::ssize(hnsw_.cum_nneighbor_per_level) - 1;
    require(hnsw_.levels.size() == nodes_ && hnsw_.offsets.size() == nodes_ + 1 &&
                hnsw_.offsets.front() == 0 && hnsw_.offsets.back() == hnsw_.neighbors.size(),
            "its arrays do not have its nodes");
    std::int64_t highest = 0;
    for (std::size_t i = 0; i < nodes_; ++i) {
      const auto level = hnsw_.levels[i];
      require(level > 0 && level <= levels, "a node's level is outside the graph");
      const auto links = hnsw_.cum_nneighbor_per_level[level];
      require(hnsw_.offsets[i + 1] - hnsw_.offsets[i] == static_cast<std::size_t>(links),
              "a node's offset does not fit its level");
      highest = std::max<std::int64_t>(highest, level);
    }
    require(hnsw_.max_level == highest - 1, "its highest level is not that of its nodes");
    const bool has_entry = hnsw_.entry_point >= 0 &&
                           static_cast<std::size_t>(hnsw_.entry_point) < nodes_ &&
                           hnsw_.levels[hnsw_.entry_point] == highest;
    require(nodes_ == 0 ? hnsw_.entry_point == -1 : has_entry,
            "its entry point is not a node of its highest level");
  }

  /// A link on a level leads to a node of that level or a higher one.
  void links() const {
    for (std::size_t i = 0; i < nodes_; ++i) {
      for (int level = 0; level < hnsw_.levels[i]; ++level) {
        std::size_t begin = 0;
        std::size_t end = 0;
        hnsw_.neighbor_range(static_cast<std::int64_t>(i), level, &begin, &end);
        for (std::size_t link = begin; link < end; ++link) {
          const std::int64_t to = hnsw_.neighbors[link];
          if (to == -1) continue;
          require(to >= 0 && std::cmp_less(to, nodes_) && hnsw_.levels[to] > level,
                  "a link leads out of its level");
        }
      }
    }
  }

 private:
  void require(bool holds, const char* message) const {
    if (!holds) throw core::InputError(path_, std::string("its HNSW graph is damaged: ") + message);
  }

  const std::filesystem::path& path_;
  const faiss::HNSW& hnsw_;
  std::size_t nodes_;
};

}  // namespace

std::int64_t verify_graph(const std::filesystem::path& path, const faiss::IndexHNSW& graph) {
  const GraphCheck check(path, graph);
  const std::int64_t edges = check.edges();
  check.nodes();
  check.links();
  return edges;
}

}  // namespace knnseq::index
