#include "stages/open_search.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "index/codebook.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/shard_jobs.hpp"
#include "stages/open_model.hpp"
#include "stages/stage.hpp"

namespace knnseq::stages {

namespace {

SearchedDatastore check_datastore(runtime::StageContext& context, const Options& options,
                                  const retrieval::SearchOptions& search,
                                  const std::filesystem::path& run_dir) {
  const Folders folders(run_dir);
  const auto codebook = manifest_of(context, folders.codebook, "train");
  SearchedDatastore made{run_dir, manifest_of(context, folders.corpus, "partition"),
                         manifest_of(context, folders.datastore, "encode"),
                         manifest_of(context, folders.index, "add")};
  comm::agree(context.comm, [&] {
    search.validate();
    require_made_from(made.datastore, "corpus", made.corpus, "encode");
    require_made_from(codebook, "datastore", made.datastore, "train");
    require_made_from(made.index, "codebook", codebook, "add");
    const auto layers = made.datastore.at("content").at("decoder_layers").get<std::int64_t>();
    const auto key = options.datastore.key.resolved(layers);
    const auto& stored = made.datastore.at("inputs");
    if (stored.at("key") != model::to_string(key.kind) || stored.at("layer") != key.layer) {
      throw core::InputError(
          run_dir, fmt::format("the datastore's keys are {} of layer {}, the config asks for {} of "
                               "layer {}",
                               stored.at("key").get<std::string>(), stored.at("layer").dump(),
                               model::to_string(key.kind), key.layer));
    }
    const auto& entries = made.index.at("content").at("entries");
    if (entries < search.k) {
      throw core::InputError(fmt::format("knn.k {} is more than the datastore's {} entries",
                                         search.k, entries.dump()));
    }
    require_enough_lists(search, codebook.at("content").at("lists"));
    const std::string factory = codebook.at("content").at("factory");
    if (search.probing == index::Probing::hnsw && factory.find("_HNSW") == factory.npos) {
      throw core::InputError(fmt::format(
          "knn.probing: hnsw needs lists with a graph, such as IVF{}_HNSW32; the index is {}",
          codebook.at("content").at("lists").dump(), factory));
    }
  });
  return made;
}

}  // namespace

std::vector<SearchedDatastore> check_search(runtime::StageContext& context, const Options& options,
                                            const DecodeOptions& decoding) {
  std::vector<SearchedDatastore> datastores;
  if (decoding.datastores.empty()) {
    corpus_manifest(context, options);
    datastores.push_back(check_datastore(context, options, decoding.search, context.run_dir));
  }
  for (const auto& run_dir : decoding.datastores) {
    datastores.push_back(check_datastore(context, options, decoding.search, run_dir));
  }
  const auto tokenizer = tokenizer_fingerprint(context, options);
  for (std::size_t i = 0; i < datastores.size(); ++i) {
    const auto model = model_fingerprint(context, options.models[i]);
    comm::agree(context.comm, [&] {
      const auto& made = datastores[i];
      if (made.datastore.at("inputs").at("model") != model) {
        throw core::InputError(
            made.run_dir,
            "the datastore's keys were made by another model than " + options.models[i].string());
      }
      if (made.corpus.at("inputs").at("tokenizer") != tokenizer) {
        throw core::InputError(made.run_dir, "the datastore's corpus was tokenised otherwise");
      }
    });
  }
  return datastores;
}

void require_enough_lists(const retrieval::SearchOptions& search, std::int64_t lists) {
  if (lists == 0 || search.nprobe <= lists) return;
  throw core::InputError(
      fmt::format("knn.nprobe {} is more than the index's {} lists", search.nprobe, lists));
}

retrieval::DistributedSearch open_search(runtime::StageContext& context,
                                         const SearchedDatastore& datastore,
                                         const retrieval::SearchOptions& search) {
  const Folders folders(datastore.run_dir);
  const std::int64_t shards = datastore.corpus.at("inputs").at("shards");
  const auto team = runtime::make_shard_team(context.comm, shards);
  index::Codebook codebook;
  std::unique_ptr<index::LocalIndex> local;
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
    local = index::load_local_index(
        codebook, files, {team.member(), team.members(), search.backend, search.ef_search});
  });
  const auto entries = context.comm.all_reduce(local->entries(), comm::Reduction::sum);
  const auto most = context.comm.all_reduce(local->bytes(), comm::Reduction::max);
  context.log.info(fmt::format("searching {} entries, {} a rank", obs::with_commas(entries),
                               obs::as_bytes(most)));
  return {context.comm, codebook, std::move(local), search};
}

}  // namespace knnseq::stages
