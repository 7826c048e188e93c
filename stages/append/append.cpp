#include "stages/append/append.hpp"

#include <algorithm>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "stages/add/add.hpp"
#include "stages/append/measure.hpp"
#include "stages/encode/encode.hpp"
#include "stages/partition/partition.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/shards/built_datastore.hpp"

namespace knnseq::stages {

namespace {

void check_names(const std::vector<CorpusPaths>& places, const std::vector<std::string>& names) {
  if (places.empty()) throw core::InputError("the config has no 'append' items");
  for (const auto& name : names) {
    const bool known = std::any_of(places.begin(), places.end(),
                                   [&](const CorpusPaths& place) { return place.name == name; });
    if (!known) throw core::InputError("the config has no 'append' item named '" + name + "'");
  }
}

}  // namespace

void append(runtime::StageContext& context, const Options& options,
            const std::vector<std::string>& names) {
  context.log.set_stage("append");
  auto places = appended_corpora(options);
  comm::agree(context.comm, [&] { check_names(places, names); });
  corpus_manifest(context, options);
  const BuiltDatastore datastore = read_datastore(context, first_corpus(options), {});
  require_config(context, options, datastore.first(), options.models.front());
  std::int64_t entries = datastore.entries();
  for (auto& place : places) {
    const bool wanted =
        names.empty() || std::find(names.begin(), names.end(), place.name) != names.end();
    place.first_entry = entries;
    if (wanted) partition(context, options, place);
    entries += corpus_manifest(context, options, place).entries;
    if (!wanted) continue;
    encode(context, options, place);
    add(context, options, place);
    measure(context, options, place, datastore);
  }
}

}  // namespace knnseq::stages
