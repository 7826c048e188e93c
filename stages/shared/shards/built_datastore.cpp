#include "stages/shared/shards/built_datastore.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "runtime/shard_jobs.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"

namespace knnseq::stages {

namespace {

/// What makes the files that are searched.
StageRef searched_step(const CorpusPaths& paths) {
  return paths.step(paths.prune.on() ? "prune" : "add");
}

BuiltCorpus read_built_corpus(runtime::StageContext& context, const CorpusPaths& paths) {
  BuiltCorpus built{paths, manifest_of<CorpusManifest>(context, paths.step("partition")),
                    manifest_of<DatastoreManifest>(context, paths.step("encode")),
                    manifest_of<IndexManifest>(context, paths.step("add"))};
  if (paths.prune.on()) built.pruned = manifest_of<PrunedManifest>(context, paths.step("prune"));
  return built;
}

void require_pruned_so(const BuiltCorpus& built) {
  const auto& pruned = *built.pruned;
  const std::string command = built.paths.command("prune");
  require_made_from({"index", pruned.index, command}, built.index.codes.identity);
  const PruneOptions& wanted = built.paths.prune;
  const bool same_number = !pruned.neighbours || *pruned.neighbours == wanted.neighbours;
  if (pruned.probability == wanted.probability && pruned.distance == wanted.distance &&
      same_number) {
    return;
  }
  throw core::InputError(built.paths.pruned,
                         fmt::format("was pruned by other settings than the config's "
                                     "datastore.prune; run 'knnseq {} --force'",
                                     command));
}

void require_chain(const BuiltCorpus& built, const CodebookManifest& codebook) {
  const auto& [paths, corpus, datastore, index, pruned, searched] = built;
  require_made_from({"corpus", datastore.made_from.corpus, paths.command("encode")},
                    corpus.identity);
  if (!paths.appended()) require_trained_on(codebook, datastore);
  const std::string add = paths.command("add");
  require_made_from({"datastore", index.codes.vectors, add}, datastore.identity);
  require_made_from({"codebook", index.codes.codebook, add}, codebook.identity);
  if (pruned) require_pruned_so(built);
}

void require_fits_first(const BuiltCorpus& built, const BuiltCorpus& first) {
  const auto fail = [&](const std::string& what) {
    throw core::InputError(built.paths.folder, what + "; run 'knnseq " +
                                                   built.paths.command("partition") + " --force'");
  };
  if (built.shards() != first.shards())
    fail("was distributed over another number of shards than the corpus");
  if (built.corpus.tokenizer != first.corpus.tokenizer)
    fail("was tokenised otherwise than the corpus");
  const KeyInputs& its = built.datastore.made_from;
  const KeyInputs& firsts = first.datastore.made_from;
  const auto fail_for = [&](const char* input) {
    fail(fmt::format("its keys are of another {} than the datastore's", input));
  };
  if (its.model != firsts.model) fail_for("model");
  if (its.key != firsts.key) fail_for("key");
  if (its.layer != firsts.layer) fail_for("layer");
  if (built.index.first_entry != built.paths.first_entry) {
    fail("the corpora before it have another number of entries since");
  }
}

/// Names of the corpora that were appended in another run directory under the codebook that is
/// there now, in the order of their entries.
std::vector<std::string> names_appended_in(const std::filesystem::path& run_dir) {
  const auto codebook = store::read_manifest(Folders(run_dir).codebook / "manifest.json");
  std::vector<std::pair<std::int64_t, std::string>> found;
  const auto folder = run_dir / "append";
  if (!codebook || !std::filesystem::is_directory(folder)) return {};
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto manifest = store::read_manifest(entry.path() / "index" / "manifest.json");
    if (!manifest) continue;  // it is not finished
    const auto index = IndexManifest::from_json(*manifest);
    if (index.codes.codebook != codebook->identity) continue;
    found.emplace_back(index.first_entry, entry.path().filename().string());
  }
  std::ranges::sort(found);
  std::vector<std::string> names;
  for (const auto& [first_entry, name] : found) names.push_back(name);
  return names;
}

}  // namespace

std::int64_t BuiltDatastore::entries() const {
  return corpora.back().paths.first_entry + corpora.back().entries();
}

std::int64_t BuiltDatastore::searched_entries() const {
  std::int64_t sum = 0;
  for (const auto* corpus : searched()) sum += corpus->searched_entries();
  return sum;
}

std::vector<const BuiltCorpus*> BuiltDatastore::searched() const {
  std::vector<const BuiltCorpus*> found;
  for (const auto& corpus : corpora) {
    if (corpus.searched) found.push_back(&corpus);
  }
  return found;
}

void BuiltDatastore::search_only(const std::vector<std::string>& names) {
  if (names.empty()) return;
  for (auto& corpus : corpora) {
    corpus.searched = std::ranges::find(names, name_of(corpus)) != names.end();
  }
}

std::string name_of(const BuiltCorpus& built) {
  return built.paths.appended() ? built.paths.name : first_corpus_name;
}

BuiltDatastore read_datastore(runtime::StageContext& context, const CorpusPaths& first,
                              const std::vector<CorpusPaths>& appended) {
  BuiltDatastore built;
  built.codebook = manifest_of<CodebookManifest>(context, first.step("train"));
  built.corpora.push_back(read_built_corpus(context, first));
  for (const auto& paths : appended) {
    const std::int64_t before = built.entries();
    built.corpora.push_back(read_built_corpus(context, paths));
    built.corpora.back().paths.first_entry = before;
  }
  comm::agree(context.comm, [&] {
    for (const auto& corpus : built.corpora) {
      require_chain(corpus, built.codebook);
      if (corpus.paths.appended()) require_fits_first(corpus, built.first());
    }
  });
  return built;
}

BuiltDatastore read_whole_datastore(runtime::StageContext& context, CorpusPaths first,
                                    std::vector<CorpusPaths> appended) {
  first.prune = {};
  for (auto& paths : appended) paths.prune = {};
  return read_datastore(context, first, appended);
}

std::vector<CorpusPaths> corpora_appended_in(runtime::StageContext& context, const Options& options,
                                             const std::filesystem::path& run_dir) {
  core::Json names = core::Json::array();
  comm::on_root(context.comm, [&] { names = names_appended_in(run_dir); });
  std::vector<CorpusPaths> corpora;
  for (const std::string name : core::Json::parse(context.comm.broadcast_string(names.dump()))) {
    corpora.push_back(first_corpus(options, run_dir / "append" / name));
    corpora.back().name = name;
    corpora.back().codebook = Folders(run_dir).codebook;
  }
  return corpora;
}

void require_config(runtime::StageContext& context, const Options& options,
                    const BuiltCorpus& built, const std::filesystem::path& model) {
  const auto tokenizer = tokenizer_fingerprint(context, options);
  const auto fingerprint = model_fingerprint(context, model);
  comm::agree(context.comm, [&] {
    const auto& folder = built.paths.folder;
    const KeyInputs& stored = built.datastore.made_from;
    const auto key = options.datastore.key.resolved(built.datastore.keys.decoder_layers);
    if (stored.key != key.kind || stored.layer != key.layer) {
      throw core::InputError(
          folder,
          fmt::format("the datastore's keys are {} of layer {}, the config asks for {} of "
                      "layer {}",
                      core::name_of(stored.key), stored.layer, core::name_of(key.kind), key.layer));
    }
    if (stored.model != fingerprint) {
      throw core::InputError(
          folder, "the datastore's keys were made by another model than " + model.string());
    }
    if (built.corpus.tokenizer != tokenizer) {
      throw core::InputError(folder, "the datastore's corpus was tokenised otherwise");
    }
  });
}

std::filesystem::path shard_file(const std::filesystem::path& folder, std::int64_t shard) {
  return folder / (runtime::shard_name(shard) + ".faiss");
}

std::filesystem::path checked_shard_file(const std::filesystem::path& folder, std::int64_t shard,
                                         const std::string& remedy) {
  const auto file = shard_file(folder, shard);
  const core::Json manifest = runtime::read_shard_manifest(folder, shard);
  if (manifest.at("fingerprint") == core::fingerprint_file(file)) return file;
  throw core::InputError(file, "is damaged (its bytes do not match its manifest); " + remedy);
}

std::filesystem::path index_file(const CorpusPaths& paths, std::int64_t shard) {
  return shard_file(searched_step(paths).folder, shard);
}

std::filesystem::path checked_index_file(const CorpusPaths& paths, std::int64_t shard) {
  const StageRef step = searched_step(paths);
  return checked_shard_file(step.folder, shard,
                            fmt::format("{}run 'knnseq {} --force'",
                                        paths.appended() ? "remove it and " : "", step.command));
}

}  // namespace knnseq::stages
