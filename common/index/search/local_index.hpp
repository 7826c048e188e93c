// A rank's entries in memory, and the search in them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "comm/communicator.hpp"
#include "core/enum_names.hpp"
#include "gpu/scan_launcher.hpp"
#include "index/core/id_bounds.hpp"
#include "index/core/probes.hpp"
#include "index/core/top_k.hpp"
#include "index/faiss_io/codebook.hpp"
#include "index/faiss_io/coded_entries.hpp"

namespace knnseq::index {

/// Whose code searches inverted lists of PQ codes, and PQ and Flat without lists. Both find the
/// same neighbours; distances differ by rounding. All other types are always faiss's.
enum class Backend { knnseq, faiss };

constexpr auto names_of(Backend) {
  return core::enum_names<Backend>({{Backend::knnseq, "knnseq"}, {Backend::faiss, "faiss"}});
}

struct LocalIndexOptions {
  /// Of each shard's entries only those at positions ≡ part (mod parts) (of every list, if there
  /// are lists) are loaded, so that several ranks can share a shard. Graphs and 4-bit codes cannot
  /// be divided: there part 0 has them all.
  std::int64_t part = 0;
  std::int64_t parts = 1;
  Backend backend = Backend::knnseq;
  std::int64_t ef_search = 64;  ///< of a graph over entries: candidates kept while walking it
  /// Where inverted lists of PQ codes are searched; null: on the CPU, as all other types are in any
  /// case (see scans_on_gpu()).
  std::shared_ptr<const gpu::ScanLauncher> launcher = nullptr;
  IdBounds ids = {};  ///< of entries that are read from files
  /// Ranks of one node that hold the entries together, once, in memory that all of them read.
  /// Loading is then collective over them, and an error is thrown by all of them.
  /// Only of what lies_in_shared_memory(); of a part, `part` and `parts` are the same for all.
  comm::Communicator* sharers = nullptr;
};

/// Whether ranks can hold an index of this kind together: what our own code searches on the CPU.
/// faiss keeps all else in objects of its own.
bool lies_in_shared_memory(const IndexSpec& spec, Backend backend);

/// Whether an index of this kind is searched by LocalIndexOptions::launcher if there is one; its
/// LocalIndex is then a ListIndexTorch. With Backend::faiss the launcher's device must be a GPU.
bool scans_on_gpu(const IndexSpec& spec, Backend backend);

/// The entries of some shards (or a part of them). Not collective.
class LocalIndex {
 public:
  virtual ~LocalIndex() = default;

  /// The k best entries of each query by (distance, entry number): exactly (as the index has the
  /// distances), among the entries of the probed lists or, without lists, among all; of HNSW those
  /// that walking the graph finds. rotated: fp32 [q, d_out], q may be 0. All lie on device().
  virtual TopK search(const at::Tensor& rotated, const Probes& probes, std::int64_t k) const = 0;

  virtual at::Device device() const { return at::kCPU; }

  /// As LocalIndexOptions::ef_search, for later searches; no effect without a graph over
  /// entries.
  virtual void set_ef_search(std::int64_t /*ef_search*/) {}

  virtual std::int64_t entries() const = 0;
  virtual std::int64_t bytes() const = 0;  ///< of memory, for entries and what belongs to them

 protected:
  LocalIndex() = default;
  LocalIndex(LocalIndex&&) = default;
  LocalIndex& operator=(LocalIndex&&) = default;
};

/// Loads and merges files of write_local_index(); there may be none.
/// Throws core::InputError naming the file as open_shards() does, and if lists do not fit the
/// launcher's memory.
std::unique_ptr<LocalIndex> load_local_index(const Codebook& codebook,
                                             const std::vector<std::filesystem::path>& shard_files,
                                             const LocalIndexOptions& options = {});

/// The same from memory. Options' parts must be 1.
std::unique_ptr<LocalIndex> make_local_index(const Codebook& codebook, const CodedEntries& entries,
                                             const LocalIndexOptions& options = {});

}  // namespace knnseq::index
