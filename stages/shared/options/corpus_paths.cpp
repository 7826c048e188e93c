#include "stages/shared/options/corpus_paths.hpp"

#include "core/error.hpp"

namespace knnseq::stages {

namespace {

CorpusPaths place_in(const std::filesystem::path& folder, const std::filesystem::path& run_dir) {
  const Folders folders(folder);
  CorpusPaths place;
  place.folder = folder;
  place.text = folders.corpus;
  place.datastore = folders.datastore;
  place.index = folders.index;
  place.codebook = Folders(run_dir).codebook;
  return place;
}

}  // namespace

std::filesystem::path CorpusPaths::made_by(const std::string& stage) const {
  if (stage == "partition") return text;
  if (stage == "encode") return datastore;
  if (stage == "train") return codebook;
  if (stage == "add") return index;
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
  CorpusPaths place = place_in(run_dir, run_dir);
  place.corpus = options.corpus;
  return place;
}

std::vector<CorpusPaths> appended_corpora(const Options& options) {
  std::vector<CorpusPaths> places;
  for (const auto& item : options.append) {
    places.push_back(place_in(options.run_dir / "append" / item.name, options.run_dir));
    places.back().name = item.name;
    places.back().corpus = item.corpus;
  }
  return places;
}

}  // namespace knnseq::stages
