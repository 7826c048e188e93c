#include "stages/open_search.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "index/codebook.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/shard_jobs.hpp"
#include "stages/stage.hpp"

namespace knnseq::stages {

SearchManifests check_search(runtime::StageContext& context, const Options& options,
                             const retrieval::SearchOptions& search) {
  const Folders folders(context.run_dir);
  const auto corpus = corpus_manifest(context, options);
  const auto codebook = manifest_of(context, folders.codebook, "train");
  SearchManifests manifests{manifest_of(context, folders.datastore, "encode"),
                            manifest_of(context, folders.index, "add")};
  comm::agree(context.comm, [&] {
    search.validate();
    require_made_from(manifests.datastore, "corpus", corpus, "encode");
    require_made_from(codebook, "datastore", manifests.datastore, "train");
    require_made_from(manifests.index, "codebook", codebook, "add");
    const auto& key = manifests.datastore.at("inputs").at("key");
    if (key != model::to_string(options.datastore.key)) {
      throw core::InputError(fmt::format("the datastore's keys are {}, the config asks for {}",
                                         key.get<std::string>(),
                                         model::to_string(options.datastore.key)));
    }
    const auto& entries = manifests.index.at("content").at("entries");
    if (entries < search.k) {
      throw core::InputError(fmt::format("knn.k {} is more than the datastore's {} entries",
                                         search.k, entries.dump()));
    }
    require_enough_lists(search, codebook.at("content").at("lists"));
  });
  return manifests;
}

void require_enough_lists(const retrieval::SearchOptions& search, std::int64_t lists) {
  if (search.nprobe <= lists) return;
  throw core::InputError(
      fmt::format("knn.nprobe {} is more than the index's {} lists", search.nprobe, lists));
}

retrieval::DistributedSearch open_search(runtime::StageContext& context, const Options& options,
                                         const retrieval::SearchOptions& search) {
  const Folders folders(context.run_dir);
  const auto team = runtime::make_shard_team(context.comm, options.shards);
  index::Codebook codebook;
  std::optional<index::LocalIndex> local;
  comm::agree(context.comm, [&] {
    codebook = index::read_codebook(folders.codebook / "codebook.faiss");
    std::vector<std::filesystem::path> files;
    for (const auto shard : team.shards) {
      files.push_back(folders.index / (runtime::shard_name(shard) + ".faiss"));
      const core::Json manifest = runtime::read_shard_manifest(folders.index, shard);
      if (manifest.at("fingerprint") != core::fingerprint_file(files.back())) {
        throw core::InputError(files.back(),
                               "is damaged (its bytes do not match its manifest); "
                               "run 'knnseq add --force'");
      }
    }
    local = index::LocalIndex::load(codebook, files, team.member(), team.members());
  });
  const auto entries = context.comm.all_reduce(local->entries(), comm::Reduction::sum);
  const auto most = context.comm.all_reduce(local->bytes(), comm::Reduction::max);
  if (context.comm.is_root() && local->entries() > 0 && !local->has_tables()) {
    context.log.warn(
        "the look-up tables of all lists would take more than 2 GiB, so one is made for "
        "every query and probed list: searching is slower than with a smaller nlist or m");
  }
  context.log.info(fmt::format("searching {} entries, {} a rank", obs::with_commas(entries),
                               obs::as_bytes(most)));
  return {context.comm, codebook, std::move(*local), search};
}

}  // namespace knnseq::stages
