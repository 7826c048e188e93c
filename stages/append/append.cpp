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
    if (wanted) partition(context, options, paths);
    entries += corpus_manifest(context, options, paths).entries;
    if (!wanted) continue;
    encode(context, options, paths);
    add(context, options, paths);
    if (paths.prune.on()) prune(context, options, paths);
    measure(context, options, paths, datastore);
  }
}

}  // namespace knnseq::stages
