#include "stages/shared/inputs/stage.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/json_field.hpp"
#include "core/own_files.hpp"
#include "store/sealed_json.hpp"

namespace knnseq::stages {

namespace {

constexpr const char* stamps_owner = "stamps";

/// Stamps of input files from earlier commands. They can always be made again.
core::Json read_stamps(obs::Log& log, const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return core::Json::object();
  try {
    return store::read_sealed(path, stamps_owner);
  } catch (const core::InputError& e) {
    log.warn(std::string(e.what()) + "; reading all input files again");
    return core::Json::object();
  }
}

}  // namespace

core::Json fingerprint_files(runtime::StageContext& context,
                             const std::vector<std::filesystem::path>& files) {
  const auto cache_path = context.run_dir / "stamps.json";
  core::Json fingerprints = core::Json::array();
  comm::on_root(context.comm, [&] {
    core::refuse_links(context.run_dir, cache_path);
    core::Json cache = read_stamps(context.log, cache_path);
    const core::Json before = cache;
    for (const auto& file : files) {
      auto& stamp = cache[std::filesystem::absolute(file).string()];
      stamp = core::read_fields(cache_path, [&] { return core::stamp_file(file, stamp); });
      fingerprints.push_back({file.filename().string(), stamp.at("fingerprint")});
      context.input_stamps.push_back(stamp);
    }
    if (context.keeps_stamps && cache != before)
      store::write_sealed(cache_path, stamps_owner, cache);
  });
  return core::Json::parse(context.comm.broadcast_string(fingerprints.dump()));
}

CorpusManifest corpus_manifest(runtime::StageContext& context, const Options& options,
                               const CorpusPaths& paths) {
  const auto corpus = manifest_of<CorpusManifest>(context, paths.step("partition"));
  comm::agree(context.comm, [&] {
    if (corpus.shards == options.shards) return;
    throw core::InputError(
        paths.text, fmt::format("the corpus was distributed over {} shards, the config says {}",
                                corpus.shards, options.shards));
  });
  return corpus;
}

CorpusManifest corpus_manifest(runtime::StageContext& context, const Options& options) {
  return corpus_manifest(context, options, first_corpus(options));
}

void require_made_from(const MadeFrom& made_from, const std::string& now) {
  if (made_from.identity == now) return;
  throw core::InputError(fmt::format("the {} has changed since; run 'knnseq {} --force'",
                                     made_from.name, made_from.command));
}

void require_trained_on(const CodebookManifest& codebook, const DatastoreManifest& datastore) {
  const auto& before = datastore.before;
  if (std::ranges::find(before, codebook.vectors) != before.end()) return;
  require_made_from({"datastore", codebook.vectors, "train"}, datastore.identity);
}

void require_keys(const DatastoreManifest& datastore, const std::string& command) {
  if (datastore.stores_keys()) return;
  throw core::InputError(command +
                         " needs the raw keys, which this datastore was made without; make it with "
                         "datastore.store: keys");
}

void require_text(const CorpusManifest& corpus, const std::string& command) {
  if (!corpus.imported) return;
  throw core::InputError(command +
                         " needs the text of the datastore, which was imported without any");
}

void require_similar_sentences(const CorpusManifest& corpus, const DatastoreManifest& datastore,
                               const SubsetOptions& options) {
  if (!corpus.imported) return;
  if (!options.has_vectors()) {
    throw core::InputError(
        fmt::format("subset.encoder: {} compares the text of sources, which an imported datastore "
                    "does not have; "
                    "mean and torchscript search features that come with it (import.sentences)",
                    core::name_of(options.encoder)));
  }
  if (datastore.made_from.sentence_keys) return;
  throw core::InputError(
      "subset needs features of the source sentences, which this datastore was imported without: "
      "name knn-seq's files of them (keys.enc.bin) as import.sentences and run 'knnseq import "
      "--force'");
}

core::Json sample_inputs(const SampleSpec& sample) {
  return {{"sample", sample.size},
          {"sample_seed", sample.seed},
          {"sample_unit", core::name_of(sample.unit)}};
}

core::Json training_inputs(const index::TrainOptions& training) {
  return {{"seed", training.seed},
          {"coarse_iterations", training.coarse_iterations},
          {"coarse_search", core::name_of(training.coarse_search)},
          {"opq_tolerance", training.opq_tolerance},
          {"opq_iterations", training.opq_iterations},
          {"opq_pq_iterations", training.opq_pq_iterations},
          {"opq_first_pq_iterations", training.opq_first_pq_iterations},
          {"pq_iterations", training.pq_iterations},
          {"max_points_per_centroid", training.max_points_per_centroid}};
}

}  // namespace knnseq::stages
