#include "stages/shared/options/corpus_paths.hpp"

#include "core/error.hpp"

namespace knnseq::stages {

namespace {

CorpusPaths paths_in(const std::filesystem::path& folder, const std::filesystem::path& run_dir) {
  const Folders folders(folder);
  CorpusPaths paths;
  paths.folder = folder;
  paths.text = folders.corpus;
  paths.datastore = folders.datastore;
  paths.index = folders.index;
  paths.pruned = folders.pruned;
  paths.codebook = Folders(run_dir).codebook;
  return paths;
}

}  // namespace

std::filesystem::path CorpusPaths::made_by(const std::string& stage) const {
  if (stage == "partition") return text;
  if (stage == "encode") return datastore;
  if (stage == "train") return codebook;
  if (stage == "add") return index;
  if (stage == "prune") return pruned / "index";
  if (stage == "prune-log-probs") return pruned / "log-probs";
  KNNSEQ_ASSERT(stage == "measure", "no stage of a corpus");
  return folder / "measure";
}

std::string CorpusPaths::stage_name(const std::string& stage) const {
  return appended() ? "append-" + name + "-" + stage : stage;
}

std::string CorpusPaths::command(const std::string& stage) const {
  return appended() ? "append " + name : stage;
}

StageRef CorpusPaths::step(const std::string& stage) const {
  if (stage == "train") return {codebook, stage, stage};
  return {made_by(stage), stage_name(stage), command(stage)};
}

CorpusPaths first_corpus(const Options& options, const std::filesystem::path& run_dir) {
  CorpusPaths paths = paths_in(run_dir, run_dir);
  paths.corpus = options.corpus;
  paths.prune = options.datastore.prune;
  return paths;
}

std::vector<CorpusPaths> appended_corpora(const Options& options) {
  std::vector<CorpusPaths> corpora;
  for (const auto& item : options.append) {
    corpora.push_back(paths_in(options.run_dir / "append" / item.name, options.run_dir));
    corpora.back().name = item.name;
    corpora.back().corpus = item.corpus;
    corpora.back().weight = item.weight;
    corpora.back().merged = item.merged;
    corpora.back().prune = options.datastore.prune;
  }
  return corpora;
}

}  // namespace knnseq::stages
