#include "stages/merge/merge.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "config/config.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/own_files.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/add/add.hpp"
#include "stages/merge/merge_sources.hpp"
#include "stages/merge/take_over.hpp"
#include "stages/shared/inputs/removals.hpp"
#include "stages/shared/shards/renumber_index.hpp"
#include "stages/stage_table.hpp"
#include "store/sealed_json.hpp"

namespace knnseq::stages {

namespace fs = std::filesystem;

namespace {

constexpr const char* merging_owner = "merging";
constexpr const char* list_name = "corpora.json";

std::vector<MergeSource> open_sources(runtime::StageContext& context, const Options& options,
                                      const std::vector<std::string>& folders) {
  std::vector<MergeSource> sources;
  for (const auto& folder : folders) sources.push_back(open_source(context, options, folder));
  comm::agree(context.comm, [&] {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const auto& run_dir = sources[i].run_dir;
      if (fs::equivalent(run_dir, options.run_dir)) {
        throw core::InputError(run_dir, "is what is merged and what is made: --into another one");
      }
      for (std::size_t j = 0; j < i; ++j) {
        if (!fs::equivalent(run_dir, sources[j].run_dir)) continue;
        throw core::InputError(run_dir, "is given twice");
      }
      require_alike(sources.front(), sources[i]);
    }
  });
  return sources;
}

/// What is merged into what, by content: the inputs of this merge.
core::Json merge_inputs(const std::vector<MergedCorpus>& corpora) {
  core::Json all = core::Json::array();
  for (const auto& corpus : corpora) {
    all.push_back({{"name", corpus.append.name},
                   {"datastore", corpus.built.datastore.identity},
                   {"index", corpus.built.index.codes.identity}});
  }
  return {{"corpora", all}};
}

/// Where each entry comes from, for people.
std::string list_corpora(const std::vector<MergeSource>& sources,
                         const std::vector<MergedCorpus>& corpora) {
  core::Json all = core::Json::array();
  for (const auto& corpus : corpora) {
    const auto source = &corpus.source - sources.data();
    all.push_back({{"corpus", corpus.append.name.empty() ? first_corpus_name : corpus.append.name},
                   {"first_entry", corpus.paths.first_entry},
                   {"entries", corpus.built.entries()},
                   {"from",
                    {{"run_dir", corpus.source.run_dir.string()},
                     {"config", fmt::format("config-{}.yaml", source + 1)},
                     {"corpus", name_of(corpus.built)},
                     {"first_entry", corpus.built.paths.first_entry},
                     {"datastore", corpus.built.datastore.identity},
                     {"index", corpus.built.index.codes.identity},
                     {"codebook", corpus.source.datastore.codebook.identity}}},
                   {"coded_anew", corpus.source.codebook != sources.front().codebook}});
  }
  return all.dump(1) + "\n";
}

core::Json item_json(const AppendOptions& item) {
  core::Json json = {{"name", item.name}, {"weight", item.weight}};
  if (item.merged) {
    json["merged"] = true;
    return json;
  }
  const auto texts = [](const std::vector<fs::path>& paths) {
    core::Json all = core::Json::array();
    for (const auto& path : paths) all.push_back(path.string());
    return all;
  };
  json["source"] = texts(item.corpus.source);
  json["target"] = texts(item.corpus.target);
  json["bad_pairs"] = item.corpus.drop_bad_pairs ? "drop" : "stop";
  json["max_tokens"] = item.corpus.max_tokens;
  return json;
}

/// The config of the first source, with all corpora, as that of the new run directory.
std::string merged_config(const runtime::StageContext& context, const fs::path& first,
                          const std::vector<MergedCorpus>& corpora) {
  core::Json items = core::Json::array();
  for (const auto& corpus : corpora) {
    if (!corpus.append.name.empty()) items.push_back(item_json(corpus.append));
  }
  auto overrides = context.overrides;
  overrides.push_back("append=" + items.dump());
  const auto config = config::Config::load(first / "config.yaml", overrides);
  read_options(config);
  return config.resolved();
}

/// Begins the merge, or finds that this one was begun before. Whether it is done already.
bool open_merge(const fs::path& run_dir, const core::Json& inputs) {
  const auto merging = run_dir / merging_name;
  const core::Json wanted = {{"inputs", core::fingerprint(inputs.dump())}};
  core::refuse_links(run_dir, merging);
  if (fs::exists(merging)) {
    if (store::read_sealed(merging, merging_owner) == wanted) return false;
    throw core::InputError(run_dir,
                           "holds an unfinished merge of other corpora; give the same run "
                           "directories again, or remove it");
  }
  const auto earlier = store::read_manifest(run_dir / "merge" / "manifest.json");
  if (earlier && earlier->inputs == inputs) return true;
  for (const auto& name : stage_folders()) {
    if (!fs::exists(run_dir / name)) continue;
    throw core::InputError(
        run_dir, fmt::format("holds '{}' already; merge makes a new run directory", name));
  }
  store::write_sealed(merging, merging_owner, wanted);
  return false;
}

/// Text, keys and index of one corpus.
void merge_corpus(runtime::StageContext& context, const Options& options,
                  const MergedCorpus& corpus, bool same_codebook) {
  const auto& built = corpus.built;
  const auto& paths = corpus.paths;
  take_over(context, built.paths.step("partition"), paths.step("partition"));
  const auto text = manifest_of<CorpusManifest>(context, paths.step("partition")).identity;
  take_over(context, built.paths.step("encode"), paths.step("encode"), {{"corpus", text}});
  if (!same_codebook) {
    add(context, options, paths);
    return;
  }
  const auto keys = manifest_of<DatastoreManifest>(context, paths.step("encode")).identity;
  const auto codebook = manifest_of<CodebookManifest>(context, paths.step("train")).identity;
  const core::Json changes = {{"corpus", text},
                              {"datastore", keys},
                              {"codebook", codebook},
                              {"first_entry", paths.first_entry}};
  const auto from = built.paths.step("add");
  const auto to = paths.step("add");
  const auto moved = paths.first_entry - built.paths.first_entry;
  if (moved == 0) {
    take_over(context, from, to, changes);
    return;
  }
  core::Json inputs = read_on_root(context, from, [](const store::Manifest&) {}).inputs;
  inputs.update(changes);
  runtime::run_stage(context, {to.stage, to.folder, inputs, [&] {
                                 return renumber_index(
                                     context, built, to.folder, built.entries(),
                                     [&](std::int64_t entry) { return entry + moved; });
                               }});
}

/// Records what was merged, which finishes the merge.
void finish_merge(const fs::path& run_dir, const core::Json& inputs,
                  const std::vector<MergeSource>& sources,
                  const std::vector<MergedCorpus>& corpora) {
  std::map<std::string, std::string> files = {{list_name, list_corpora(sources, corpora)}};
  for (std::size_t i = 0; i < sources.size(); ++i) {
    files[fmt::format("config-{}.yaml", i + 1)] = sources[i].config;
  }
  runtime::write_results(run_dir, run_dir / "merge", "merge", inputs, files);
  core::remove_own_file(run_dir / merging_name);
  core::sync_folder(run_dir);
}

}  // namespace

void merge(runtime::StageContext& context, const Options& options,
           const std::vector<std::string>& folders) {
  context.log.set_stage("merge");
  const auto sources = open_sources(context, options, folders);
  std::vector<MergedCorpus> corpora;
  comm::agree(context.comm, [&] {
    corpora = plan_merge(sources, options);
    context.resolved_config = merged_config(context, sources.front().run_dir, corpora);
  });
  context.provenance.config = context.resolved_config;
  const auto inputs = merge_inputs(corpora);
  bool done = false;
  comm::on_root(context.comm, [&] { done = open_merge(context.run_dir, inputs); });
  if (!context.comm.all(!done)) {
    context.log.info("already done");
    return;
  }
  take_over(context, sources.front().datastore.first().paths.step("train"),
            first_corpus(options).step("train"));
  for (const auto& corpus : corpora) {
    merge_corpus(context, options, corpus, corpus.source.codebook == sources.front().codebook);
  }
  comm::on_root(context.comm, [&] { finish_merge(context.run_dir, inputs, sources, corpora); });
  context.log.set_stage("merge");
  for (const auto& corpus : corpora) {
    const auto& name = corpus.append.name;
    context.log.info(fmt::format("{}: {} entries from {} of {}",
                                 name.empty() ? first_corpus_name : name,
                                 obs::with_commas(corpus.built.entries()), name_of(corpus.built),
                                 corpus.source.run_dir.string()));
  }
  context.log.info(
      fmt::format("subsets, pruning and translations are made from all corpora: go on with "
                  "'knnseq run --config {}'",
                  (context.run_dir / "config.yaml").string()));
}

}  // namespace knnseq::stages
