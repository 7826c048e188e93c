#include "stages/serve/offers.hpp"

#include <optional>
#include <string>
#include <vector>

#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/manifests.hpp"
#include "stages/shared/options/corpus_paths.hpp"
#include "store/manifest.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

core::Json offered_settings(const std::filesystem::path& run_dir, const Options& options,
                            const DecodeOptions& decoding) {
  const Folders folders(run_dir);
  const auto is_there = [](const std::filesystem::path& folder) {
    return store::read_manifest(folder / "manifest.json").has_value();
  };
  core::Json modes = core::Json::array();
  if (!decoding.datastores.empty() || is_there(folders.index)) {
    modes.push_back(core::name_of(KnnMode::plain));
  }
  if (decoding.datastores.empty() && is_there(run_dir / "subset" / "codes")) {
    modes.push_back(core::name_of(KnnMode::subset));
    modes.push_back(core::name_of(KnnMode::memory));
  }
  using retrieval::PolicyKind;
  core::Json policies = {core::name_of(PolicyKind::fixed)};
  if (options.index.metric == "l2") policies.push_back(core::name_of(PolicyKind::distance));
  if (retrieval::is_learned(decoding.interpolation.policy)) {
    policies.push_back(core::name_of(decoding.interpolation.policy));
  }
  core::Json lists;
  if (const auto codebook = store::read_manifest(folders.codebook / "manifest.json")) {
    lists = CodebookManifest::from_json(*codebook).facts.lists;
  }
  return {{"modes", modes}, {"policies", policies}, {"lists", lists}};
}

core::Json example_lines(const std::filesystem::path& run_dir, const Options& options) {
  constexpr std::size_t most_lines = 500, most_bytes = 400;
  core::Json examples = {{"name", nullptr}, {"lines", core::Json::array()}};
  for (const auto& item : options.decode) {
    const auto folder = Folders(run_dir).decode / item.name;
    const auto manifest = store::read_manifest(folder / "manifest.json");
    if (!manifest) continue;
    const auto read = [&](const char* file) {
      return text::read_lines(runtime::require_file(folder, *manifest, file, "decode " + item.name),
                              text::no_limits);
    };
    const auto sources = read("src.txt");
    std::optional<std::vector<std::string>> references;
    if (manifest->content_fields().at("files").has("ref.txt")) references = read("ref.txt");
    examples["name"] = item.name;
    auto& lines = examples["lines"];
    for (std::size_t i = 0; i < sources.size() && lines.size() < most_lines; ++i) {
      if (sources[i].empty() || sources[i].size() > most_bytes) continue;
      lines.push_back(
          {{"source", sources[i]},
           {"reference",
            references && i < references->size() ? core::Json((*references)[i]) : core::Json()}});
    }
    break;
  }
  return examples;
}

}  // namespace knnseq::stages
