#include "stages/merge/merge_sources.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "config/config.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "runtime/run_directory.hpp"
#include "stages/shared/inputs/removals.hpp"
#include "stages/shared/options/read_tools.hpp"
#include "stages/stage_table.hpp"

namespace knnseq::stages {

namespace fs = std::filesystem;

namespace {

store::Manifest any_manifest(runtime::StageContext& context, const StageRef& step) {
  return read_on_root(context, step, [](const store::Manifest&) {});
}

/// Tensors and metric: codebooks that were trained apart may be equal.
std::string describe_codebook(const store::Manifest& manifest) {
  return core::fingerprint(core::Json{manifest.content_fields().at("checksum").as<core::Json>(),
                                      manifest.content_fields().at("factory").text(),
                                      manifest.input_fields().at("metric").text()}
                               .dump());
}

/// Splits NAME=DIR; a folder that has such a name itself counts as one.
void read_argument(const std::string& argument, MergeSource& source) {
  const auto equals = argument.find('=');
  const bool named =
      equals != argument.npos && is_item_name(argument.substr(0, equals)) && !fs::exists(argument);
  if (named) source.name = argument.substr(0, equals);
  source.run_dir = named ? argument.substr(equals + 1) : argument;
}

std::string name_in_merge(const MergeSource& source, const BuiltCorpus& built) {
  const auto& name = source.name;
  if (built.paths.appended()) return (name.empty() ? "" : name + "-") + built.paths.name;
  return name.empty() ? fs::canonical(source.run_dir).filename().string() : name;
}

AppendOptions item_for(const MergeSource& source, const BuiltCorpus& built, bool keep) {
  const auto item = std::ranges::find(source.append, built.paths.name, &AppendOptions::name);
  const bool known = item != source.append.end();
  if (keep && (known || !built.paths.appended())) return known ? *item : AppendOptions{};
  return {
      keep ? built.paths.name : name_in_merge(source, built), {}, known ? item->weight : 1, true};
}

void require_new_name(const std::vector<MergedCorpus>& corpora, const MergedCorpus& corpus) {
  const auto& name = corpus.append.name;
  const auto refuse = [&](const std::string& why) {
    throw core::InputError(
        corpus.source.run_dir,
        fmt::format("its corpus {} would be called '{}', {}; give a name: NAME={}",
                    name_of(corpus.built), name, why, corpus.source.run_dir.string()));
  };
  if (!is_item_name(name)) refuse("which must be of letters, digits, '-', '_' and '.'");
  if (name == first_corpus_name) refuse("which is the first one's name");
  const auto other = std::ranges::find(
      corpora, name, [](const MergedCorpus& one) -> const auto& { return one.append.name; });
  if (other == corpora.end()) return;
  refuse(fmt::format("as is another one of {}", other->source.run_dir.string()));
}

}  // namespace

MergeSource open_source(runtime::StageContext& context, const Options& options,
                        const std::string& argument) {
  MergeSource source;
  read_argument(argument, source);
  const auto& run_dir = source.run_dir;
  comm::on_root(context.comm, [&] {
    runtime::require_run_directory(run_dir, runtime::RunDirectoryUse::read, stage_folders());
    require_no_unfinished_change(run_dir, "");
    source.lock = std::make_unique<runtime::ReaderLock>(run_dir);
    if (!source.lock->notice().empty()) context.log.warn(source.lock->notice());
  });
  comm::agree(context.comm, [&] {
    const auto path = run_dir / "config.yaml";
    source.config = core::read_file(path);
    const auto config =
        config::Config::load(path, {"run_dir=" + core::Json(run_dir.string()).dump()});
    source.append = read_options(config).append;
  });
  const auto first = first_corpus(options, run_dir);
  source.datastore =
      read_whole_datastore(context, first, corpora_appended_in(context, options, run_dir));
  source.codebook = describe_codebook(any_manifest(context, first.step("train")));
  for (const auto& built : source.datastore.corpora) {
    const auto text = any_manifest(context, built.paths.step("partition"));
    const auto keys = any_manifest(context, built.paths.step("encode"));
    source.rows.push_back(core::fingerprint(
        core::Json{text.content.at("shards"), keys.content_fields().at("shards").as<core::Json>()}
            .dump()));
  }
  return source;
}

void require_alike(const MergeSource& first, const MergeSource& other) {
  const auto& mine = first.datastore.first();
  const auto& its = other.datastore.first();
  const auto require = [&](bool alike, const std::string& what) {
    if (alike) return;
    throw core::InputError(fmt::format("{} and {} cannot be merged: {}", first.run_dir.string(),
                                       other.run_dir.string(), what));
  };
  const KeyInputs& my_keys = mine.datastore.made_from;
  const KeyInputs& its_keys = its.datastore.made_from;
  require(my_keys.model == its_keys.model, "their keys are of different models");
  require(mine.corpus.tokenizer == its.corpus.tokenizer,
          "their text was tokenised by different models, languages or commands");
  require(
      my_keys.key == its_keys.key && my_keys.layer == its_keys.layer,
      fmt::format("their keys are {} of layer {} and {} of layer {}", core::name_of(my_keys.key),
                  my_keys.layer, core::name_of(its_keys.key), its_keys.layer));
  require(mine.datastore.keys.width == its.datastore.keys.width,
          fmt::format("their keys have {} and {} dimensions", mine.datastore.keys.width,
                      its.datastore.keys.width));
  require(mine.shards() == its.shards(),
          fmt::format("they have {} and {} shards", mine.shards(), its.shards()));
  if (first.codebook == other.codebook) return;
  for (const auto& built : other.datastore.corpora) {
    require(built.datastore.stores_keys(),
            fmt::format("their codebooks differ, and {} holds no keys of its corpus {} that could "
                        "be coded anew (datastore.store: none)",
                        other.run_dir.string(), name_of(built)));
  }
}

std::vector<MergedCorpus> plan_merge(const std::vector<MergeSource>& sources,
                                     const Options& options) {
  std::vector<MergedCorpus> corpora;
  std::int64_t entries = 0;
  for (const auto& source : sources) {
    const bool first = &source == &sources.front();
    for (std::size_t i = 0; i < source.datastore.corpora.size(); ++i) {
      const auto& built = source.datastore.corpora[i];
      MergedCorpus corpus{source, built, item_for(source, built, first), {}, source.rows[i]};
      const auto same = [&](const MergedCorpus& other) { return other.rows == corpus.rows; };
      if (!first && std::ranges::any_of(corpora, same)) continue;
      if (!first) require_new_name(corpora, corpus);
      Options of_one = options;
      of_one.append = {corpus.append};
      corpus.paths =
          corpus.append.name.empty() ? first_corpus(options) : appended_corpora(of_one).front();
      corpus.paths.first_entry = entries;
      entries += built.entries();
      corpora.push_back(std::move(corpus));
    }
  }
  if (entries > core::max_entry_number) {
    throw core::InputError("all corpora together have more than 2^40 entries");
  }
  return corpora;
}

}  // namespace knnseq::stages
