#include "stages/plan/rates.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "runtime/run_directory.hpp"
#include "runtime/stage_record.hpp"
#include "stages/shared/inputs/manifests.hpp"
#include "store/json_numbers.hpp"
#include "store/sealed_json.hpp"

namespace knnseq::stages {

namespace {

namespace fs = std::filesystem;

constexpr const char* format_name = "knnseq rates";

Options options_of(const std::string& config, const std::string& name) {
  return read_options(config::Config::parse(config, name));
}

store::Manifest finished(const StageRef& step) {
  return runtime::require_manifest(step.folder, step.stage, step.command);
}

/// Drops the records of steps that computed nothing: merge links the files of other run
/// directories, import and remove copy what is there.
void leave_out_copied(const CorpusPaths& paths, bool removed,
                      std::map<std::string, core::Json>& records) {
  for (const std::string stage : {"partition", "encode", "train", "add"}) {
    const auto record = records.find(stage);
    if (record == records.end()) continue;
    const auto manifest = store::read_manifest(paths.step(stage).folder / "manifest.json");
    const bool linked = record->second.value("unit", std::string()) == "bytes";
    const bool imported = manifest && manifest->inputs.contains("imported");
    if (linked || imported || (removed && stage != "train")) records.erase(record);
  }
}

}  // namespace

const core::Json* Rates::find(const std::string& step) const {
  const auto found = records.find(step);
  return found == records.end() ? nullptr : &found->second;
}

Rates rates_of_run(const fs::path& run_dir) {
  Rates rates;
  const auto config = run_dir / "config.yaml";
  rates.config = core::read_file(config);
  rates.options = options_of(rates.config, config.string());
  rates.options.run_dir = run_dir;
  const auto corpus_paths = first_corpus(rates.options);
  const auto corpus = CorpusManifest::from_json(finished(corpus_paths.step("partition")));
  const auto datastore = DatastoreManifest::from_json(finished(corpus_paths.step("encode")));
  rates.needs.corpus = {corpus.sentences, 0, corpus.entries, false};
  for (const auto& [name, shard] : corpus.of_shards.items()) {
    rates.needs.corpus.source_tokens += shard.value("source_tokens", std::int64_t{0});
  }
  rates.needs.width = datastore.keys.width;
  const auto codebook = CodebookManifest::from_json(finished(corpus_paths.step("train")));
  rates.needs.index = index::parse_index_spec(codebook.facts.factory, rates.needs.width,
                                              rates.options.index.metric);
  const auto records = run_dir / runtime::records_name;
  if (!fs::is_directory(records)) {
    throw core::InputError(records, "is missing: nothing says how long stages took there");
  }
  for (const auto& entry : fs::directory_iterator(records)) {
    if (entry.path().extension() != ".json") continue;
    const auto step = entry.path().stem().string();
    rates.records[step] = runtime::stage_record(run_dir, step);
  }
  leave_out_copied(corpus_paths, !datastore.before.empty(), rates.records);
  return rates;
}

Rates read_rates(const fs::path& path) {
  if (fs::is_directory(path)) return rates_of_run(path);
  const core::Json file = core::read_json(path);
  try {
    if (file.at("format") != format_name || file.at("version") != 1) {
      throw core::InputError(path, "is not a file of 'knnseq plan --measure'");
    }
    Rates rates;
    rates.config = file.at("config").get<std::string>();
    rates.options = options_of(rates.config, path.string());
    const auto& needs = file.at("needs");
    rates.needs.corpus = {needs.at("sentences"), needs.at("source_tokens"), needs.at("entries"),
                          false};
    rates.needs.width = needs.at("width");
    rates.needs.index = index::parse_index_spec(needs.at("index").get<std::string>(),
                                                rates.needs.width, rates.options.index.metric);
    rates.records = file.at("records").get<std::map<std::string, core::Json>>();
    return rates;
  } catch (const core::Json::exception& e) {
    throw core::InputError(path, fmt::format("cannot be read as rates: {}", e.what()));
  }
}

void write_rates(const fs::path& file, const Rates& rates) {
  const auto& corpus = rates.needs.corpus;
  const core::Json content = {{"format", format_name},
                              {"version", 1},
                              {"config", rates.config},
                              {"needs",
                               {{"sentences", corpus.sentences},
                                {"source_tokens", corpus.source_tokens},
                                {"entries", corpus.entries},
                                {"width", rates.needs.width},
                                {"index", rates.needs.index.factory()}}},
                              {"records", rates.records}};
  core::write_file_durably(file, content.dump(1) + "\n");
}

}  // namespace knnseq::stages
