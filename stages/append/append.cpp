#include "stages/append/append.hpp"

#include <algorithm>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "stages/add/add.hpp"
#include "stages/append/measure.hpp"
#include "stages/encode/encode.hpp"
#include "stages/partition/partition.hpp"
#include "stages/prune/prune.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/shards/built_datastore.hpp"

namespace knnseq::stages {

namespace {

void check_names(const std::vector<CorpusPaths>& corpora, const std::vector<std::string>& names) {
  if (corpora.empty()) throw core::InputError("the config has no 'append' items");
  for (const auto& name : names) {
    const bool known = std::any_of(corpora.begin(), corpora.end(),
                                   [&](const CorpusPaths& paths) { return paths.name == name; });
    if (!known) throw core::InputError("the config has no 'append' item named '" + name + "'");
  }
}

/// Whether the index of a merged corpus, which add need not have made, is still right.
bool fits_codebook(runtime::StageContext& context, const CorpusPaths& paths,
                   const BuiltDatastore& datastore) {
  const auto index = manifest_of<IndexManifest>(context, paths.step("add"));
  const auto keys = manifest_of<DatastoreManifest>(context, paths.step("encode"));
  return index.codes.codebook == datastore.codebook.identity &&
         index.codes.vectors == keys.identity && index.first_entry == paths.first_entry;
}

}  // namespace

void append(runtime::StageContext& context, const Options& options,
            const std::vector<std::string>& names) {
  context.log.set_stage("append");
  auto corpora = appended_corpora(options);
  comm::agree(context.comm, [&] { check_names(corpora, names); });
  corpus_manifest(context, options);
  const BuiltDatastore datastore = read_datastore(context, first_corpus(options), {});
  require_config(context, options, datastore.first(), options.models.front());
  std::int64_t entries = datastore.entries();
  for (auto& paths : corpora) {
    const bool wanted =
        names.empty() || std::find(names.begin(), names.end(), paths.name) != names.end();
    paths.first_entry = entries;
    if (wanted && !paths.merged) partition(context, options, paths);
    entries += corpus_manifest(context, options, paths).entries;
    if (!wanted) continue;
    if (!paths.merged) encode(context, options, paths);
    if (!paths.merged || !fits_codebook(context, paths, datastore)) add(context, options, paths);
    if (paths.prune.on()) prune(context, options, paths);
    measure(context, options, paths, datastore);
  }
}

}  // namespace knnseq::stages
