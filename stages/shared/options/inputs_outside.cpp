#include "stages/shared/options/inputs_outside.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

namespace fs = std::filesystem;

namespace {

/// The path without links and dots; a part that does not exist stays as it is.
fs::path real_path(const fs::path& path) {
  std::error_code error;
  fs::path real = fs::weakly_canonical(fs::absolute(path), error);
  if (error) real = fs::absolute(path).lexically_normal();
  return real.has_filename() ? real : real.parent_path();  // "runs/" ends in an empty name
}

class Noter {
 public:
  explicit Noter(const fs::path& run_dir) : run_dir_(run_dir) {}

  void look_at(const config::Section& section, const std::string& key, const fs::path& path) const {
    if (path.empty() || !lies_in(path, run_dir_)) return;
    section.problem(key, fmt::format("{} lies in run_dir, where knnseq keeps what it makes; move "
                                     "it elsewhere",
                                     path.string()));
  }
  void look_at(const config::Section& section, const std::string& key,
               const std::vector<fs::path>& paths) const {
    for (const auto& path : paths) look_at(section, key, path);
  }

 private:
  const fs::path& run_dir_;
};

}  // namespace

bool lies_in(const fs::path& path, const fs::path& folder) {
  const fs::path inner = real_path(path);
  const fs::path outer = real_path(folder);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

void note_inputs_in_run_dir(const config::Config& config, const Options& options) {
  if (options.run_dir.empty()) return;  // which is a problem by itself
  const config::Section root = config.root();
  const Noter noter(options.run_dir);
  noter.look_at(root, "model", options.models);
  if (root.has("tokenizer")) noter.look_at(root, "tokenizer", options.tokenizer);
  noter.look_at(root.section("import"), "keys", options.foreign.keys);
  noter.look_at(root.section("import"), "values", options.foreign.values);
  noter.look_at(root.section("import"), "index", options.foreign.index);
  noter.look_at(root.section("import"), "sentences", options.foreign.sentences);
  noter.look_at(root.section("import"), "source_values", options.foreign.source_values);
  noter.look_at(root.section("corpus"), "source", options.corpus.source);
  noter.look_at(root.section("corpus"), "target", options.corpus.target);
  const Folders folders(options.run_dir);
  const auto look_at_text = [&](const config::Section& section, const std::string& key,
                                const std::vector<fs::path>& files) {
    for (const auto& file : files) {
      if (!lies_in(file, folders.learned)) noter.look_at(section, key, file);
    }
  };
  const auto appended = root.sections("append");
  for (std::size_t i = 0; i < appended.size(); ++i) {
    look_at_text(appended[i], "source", options.append[i].corpus.source);
    look_at_text(appended[i], "target", options.append[i].corpus.target);
  }
  noter.look_at(root.section("subset"), "model", options.subset.model);
  const auto decoded = root.sections("decode");
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    noter.look_at(decoded[i], "source", options.decode[i].source);
    if (options.decode[i].reference)
      noter.look_at(decoded[i], "reference", *options.decode[i].reference);
  }
  noter.look_at(root.section("sweep"), "source", options.sweep.source);
  noter.look_at(root.section("sweep"), "target", options.sweep.target);
  noter.look_at(root.section("tune"), "source", options.tune.decoding.source);
  noter.look_at(root.section("tune"), "reference", *options.tune.decoding.reference);
  noter.look_at(root.section("tune").section("general"), "source", options.tune.general.source);
  noter.look_at(root.section("tune").section("general"), "reference",
                options.tune.general.reference);
  const auto made_by_tune = [&](const fs::path& file) {
    return file.empty() || lies_in(file, folders.tune) || lies_in(file, folders.tune_subsets);
  };
  for (const auto& file : config.included()) {
    if (!made_by_tune(file)) noter.look_at(root, "include", file);
  }
  const auto look_at_networks = [&](const config::Section& section,
                                    const retrieval::MixingOptions& mixing) {
    if (!made_by_tune(mixing.network)) noter.look_at(section, "network", mixing.network);
    if (!made_by_tune(mixing.gate)) noter.look_at(section, "gate", mixing.gate);
  };
  look_at_networks(root.section("knn"), options.tune.decoding.interpolation);
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    look_at_networks(decoded[i], options.decode[i].interpolation);
  }
}

}  // namespace knnseq::stages
