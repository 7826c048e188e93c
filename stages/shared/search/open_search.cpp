#include "stages/shared/search/open_search.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "comm/self_communicator.hpp"
#include "core/error.hpp"
#include "gpu/torch_device.hpp"
#include "index/search/faiss_list_index.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/shard_jobs.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/training/trained_codebook.hpp"

namespace knnseq::stages {

namespace {

std::filesystem::path plain(const std::filesystem::path& path) {
  return std::filesystem::absolute(path).lexically_normal();
}

/// The corpora that are searched in a run directory: in this one those of the config.
BuiltDatastore read_searched(runtime::StageContext& context, const Options& options,
                             const std::filesystem::path& run_dir) {
  const bool own = plain(run_dir / "") == plain(context.run_dir / "");
  return read_datastore(
      context, first_corpus(options, run_dir),
      own ? appended_corpora(options) : corpora_appended_in(context, options, run_dir));
}

/// What the ids of its entries may be.
index::IdBounds ids_of(const BuiltDatastore& datastore) {
  return {datastore.first().datastore.keys.vocab_size, datastore.entries()};
}

/// The warning for ranks with GPUs that search on their CPUs.
std::string warning_of_cpu(const index::IndexSpec& spec) {
  std::string what = spec.factory() + " is searched on the CPU";
  if (index::scans_on_gpu(spec, index::Backend::knnseq)) {
    what =
        "knn.backend: faiss searches on the CPU, as this faiss was built without GPUs (knnseq's "
        "own backend uses them)";
  }
  return what + ": each step's queries are copied from the GPU and their neighbours back";
}

/// Lists of PQ codes are searched on the rank's GPU, if it has one.
std::shared_ptr<const gpu::ScanLauncher> launcher_for(runtime::StageContext& context,
                                                      const index::Codebook& codebook,
                                                      const retrieval::SearchOptions& search) {
  if (!context.placement.device.cuda) return nullptr;
  if (!index::scans_on_gpu(codebook.spec, search.backend)) {
    if (context.comm.is_root()) context.log.warn(warning_of_cpu(codebook.spec));
    return nullptr;
  }
  return gpu::make_scan_launcher(context.placement.device);
}

void require_entries(const BuiltDatastore& datastore, std::int64_t entries) {
  const auto expected = datastore.searched_entries();
  if (entries == expected) return;
  throw core::InputError(index_file(datastore.first().paths, 0).parent_path(),
                         fmt::format("the files of its shards hold {} entries, the manifests say "
                                     "{}",
                                     entries, expected));
}

/// Files of these shards of all searched corpora. Ranks that load them together share the work of
/// comparing them with their manifests. Collective over the job.
std::vector<std::filesystem::path> index_files(runtime::StageContext& context,
                                               const BuiltDatastore& datastore,
                                               const std::vector<std::int64_t>& shards,
                                               const comm::Communicator& together) {
  std::vector<std::filesystem::path> files;
  comm::agree(context.comm, [&] {
    for (const auto* corpus : datastore.searched()) {
      for (const auto shard : shards) {
        const bool mine = std::ssize(files) % together.size() == together.rank();
        files.push_back(mine ? checked_index_file(corpus->paths, shard)
                             : index_file(corpus->paths, shard));
      }
    }
  });
  return files;
}

/// All entries in memory that this rank reads: with IndexCopies::node that of its node, filled by
/// its ranks together. Collective.
std::shared_ptr<index::LocalIndex> load_copy(runtime::StageContext& context,
                                             const BuiltDatastore& datastore,
                                             const index::Codebook& codebook,
                                             index::LocalIndexOptions how, IndexCopies copies) {
  const auto node = context.comm.split_by_node();
  std::vector<std::int64_t> shards(datastore.first().shards());
  std::iota(shards.begin(), shards.end(), 0);
  const auto files = index_files(context, datastore, shards, *node);
  if (copies == IndexCopies::node) how.sharers = node.get();
  std::shared_ptr<index::LocalIndex> entries;
  comm::agree(context.comm, [&] { entries = index::load_local_index(codebook, files, how); });
  comm::agree(context.comm, [&] { require_entries(datastore, entries->entries()); });
  return entries;
}

/// A part of a copy that lies in the memories of the group: this rank's, or with how.sharers that
/// of its node. Collective over the job.
std::shared_ptr<index::LocalIndex> load_part(runtime::StageContext& context,
                                             const BuiltDatastore& datastore,
                                             const index::Codebook& codebook,
                                             index::LocalIndexOptions how,
                                             comm::Communicator& group) {
  const auto team = runtime::make_shard_team(group, datastore.first().shards());
  how.part = team.member();
  how.parts = team.members();
  const auto& together = how.sharers != nullptr ? *how.sharers : comm::self_communicator();
  const auto files = index_files(context, datastore, team.shards, together);
  std::shared_ptr<index::LocalIndex> part;
  comm::agree(context.comm, [&] { part = index::load_local_index(codebook, files, how); });
  const auto entries = group.all_reduce(part->entries(), comm::Reduction::sum);
  comm::agree(context.comm, [&] { require_entries(datastore, entries); });
  return part;
}

}  // namespace

std::vector<BuiltDatastore> check_search(runtime::StageContext& context, const Options& options,
                                         const DecodeOptions& decoding) {
  std::vector<BuiltDatastore> datastores;
  if (decoding.datastores.empty()) {
    corpus_manifest(context, options);
    datastores.push_back(read_searched(context, options, context.run_dir));
    datastores.back().search_only(decoding.corpora);
  }
  for (const auto& run_dir : decoding.datastores) {
    datastores.push_back(read_searched(context, options, run_dir));
  }
  for (std::size_t i = 0; i < datastores.size(); ++i) {
    comm::agree(context.comm, [&] { require_fits(context, decoding.search, datastores[i]); });
    require_config(context, options, datastores[i].first(), options.models[i]);
  }
  return datastores;
}

void require_fits(const runtime::StageContext& context, const retrieval::SearchOptions& search,
                  const BuiltDatastore& datastore) {
  search.validate();
  if (datastore.searched_entries() < search.k) {
    throw core::InputError(fmt::format("knn.k {} is more than the datastore's {} entries", search.k,
                                       datastore.searched_entries()));
  }
  const auto& [factory, lists] = datastore.codebook.facts;
  require_enough_lists(search, lists);
  if (search.probing == index::Probing::hnsw && factory.find("_HNSW") == factory.npos) {
    throw core::InputError(fmt::format(
        "knn.probing: hnsw needs lists with a graph, such as IVF{}_HNSW32; the index is {}", lists,
        factory));
  }
  if (!context.placement.device.cuda) return;
  const auto width = datastore.first().datastore.keys.width;
  if (!index::scans_on_gpu(index::parse_index_spec(factory, width, "l2"), search.backend)) return;
  if (search.k > gpu::most_scan_k) {
    throw core::InputError(fmt::format("knn.k {} is more than the {} that are found on a GPU",
                                       search.k, gpu::most_scan_k));
  }
  if (search.backend == index::Backend::faiss && search.nprobe > index::most_faiss_cuda_selection) {
    throw core::InputError(
        fmt::format("knn.nprobe {} is more than the {} lists that faiss looks into on a GPU",
                    search.nprobe, index::most_faiss_cuda_selection));
  }
}

void require_enough_lists(const retrieval::SearchOptions& search, std::int64_t lists) {
  if (lists == 0 || search.nprobe <= lists) return;
  throw core::InputError(
      fmt::format("knn.nprobe {} is more than the index's {} lists", search.nprobe, lists));
}

OpenIndex open_index(runtime::StageContext& context, const BuiltDatastore& datastore,
                     const retrieval::SearchOptions& search, IndexCopies copies) {
  OpenIndex open;
  open.copies = copies;
  index::LocalIndexOptions how;
  how.backend = search.backend;
  how.ef_search = search.ef_search;
  how.ids = ids_of(datastore);
  comm::agree(context.comm, [&] {
    open.codebook = read_trained_codebook(datastore.first().paths.step("train"));
    how.launcher = launcher_for(context, open.codebook, search);
  });
  if (copies == IndexCopies::nodes) {
    const auto node = context.comm.split_by_node();
    open.group = context.comm.split(node->rank());
    how.sharers = node.get();
    open.entries = load_part(context, datastore, open.codebook, std::move(how), *open.group);
  } else if (copies == IndexCopies::job) {
    open.entries = load_part(context, datastore, open.codebook, std::move(how), context.comm);
  } else {
    open.entries = load_copy(context, datastore, open.codebook, std::move(how), copies);
  }
  const auto most = context.comm.all_reduce(open.entries->bytes(), comm::Reduction::max);
  context.log.info(fmt::format("searching {} entries, {} a {}",
                               obs::with_commas(datastore.searched_entries()), obs::as_bytes(most),
                               in_node_memory(copies) ? "node" : "rank"));
  return open;
}

OpenIndex open_entries(runtime::StageContext& context, const index::Codebook& codebook,
                       const index::CodedEntries& entries, const retrieval::SearchOptions& search) {
  index::LocalIndexOptions how;
  how.backend = search.backend;
  how.ef_search = search.ef_search;
  how.launcher = launcher_for(context, codebook, search);
  return {codebook, index::make_local_index(codebook, entries, how), IndexCopies::device};
}

std::unique_ptr<retrieval::DistributedSearch> make_search(runtime::StageContext& context,
                                                          const OpenIndex& index,
                                                          const retrieval::SearchOptions& search) {
  const bool together = index.copies == IndexCopies::job;
  comm::Communicator& alone = comm::self_communicator();
  retrieval::SearchDevice device;  // if ranks have GPUs, queries and results stay on them
  if (context.placement.device.cuda) {
    device.device = gpu::torch_device(context.placement.device);
    if (together) {
      device.collectives =
          gpu::make_collectives(context.comm, context.placement, context.timeout_seconds);
    }
  }
  return std::make_unique<retrieval::DistributedSearch>(
      together ? context.comm : (index.group ? *index.group : alone), index.codebook, index.entries,
      search, std::move(device));
}

}  // namespace knnseq::stages
