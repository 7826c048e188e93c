#include "stages/open_search.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "index/codebook.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/shard_jobs.hpp"
#include "stages/stage.hpp"

namespace knnseq::stages {

retrieval::DistributedSearch open_search(runtime::StageContext& context, const Options& options,
                                         const retrieval::SearchOptions& search) {
  const Folders folders(context.run_dir);
  const auto team = runtime::make_shard_team(context.comm, options.shards);
  index::Codebook codebook;
  std::optional<index::LocalIndex> local;
  comm::agree(context.comm, [&] {
    search.validate();
    codebook = index::read_codebook(folders.codebook / "codebook.faiss");
    if (search.nprobe > codebook.spec.nlist) {
      throw core::InputError(fmt::format("knn.nprobe {} is more than the index's {} lists",
                                         search.nprobe, codebook.spec.nlist));
    }
    std::vector<std::filesystem::path> files;
    for (const auto shard : team.shards) {
      files.push_back(folders.index / (runtime::shard_name(shard) + ".faiss"));
      const core::Json manifest = runtime::read_shard_manifest(folders.index, shard);
      if (manifest.at("fingerprint") != core::fingerprint_file(files.back())) {
        throw core::InputError(files.back(), "is damaged (its bytes do not match its manifest); "
                                             "run 'knnseq add --force'");
      }
    }
    local = index::LocalIndex::load(codebook, files, team.member(), team.members());
  });
  const auto entries = context.comm.all_reduce(local->entries(), comm::Reduction::sum);
  const auto most = context.comm.all_reduce(local->bytes(), comm::Reduction::max);
  comm::agree(context.comm, [&] {
    if (search.k > entries) {
      throw core::InputError(
          fmt::format("knn.k {} is more than the datastore's {} entries", search.k, entries));
    }
  });
  context.log.info(fmt::format("searching {} entries, {} a rank", obs::with_commas(entries),
                               obs::as_bytes(most)));
  return {context.comm, codebook, std::move(*local), search};
}

}  // namespace knnseq::stages
