#include "stages/evaluate/scored_decoding.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_field.hpp"
#include "runtime/stage_record.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/manifests.hpp"
#include "stages/shared/options/corpus_paths.hpp"
#include "text/files/read_lines.hpp"
#include "text/pieces/moses_marks.hpp"

namespace knnseq::stages {

namespace {

/// The settings that a decoding was made with, from its manifest.
std::string describe(const DecodingManifest& decoding) {
  if (decoding.memory) return "translation memory: " + *decoding.memory + " sentences";
  std::string text = "base";
  if (const auto& knn = decoding.knn) {
    const auto& subset = knn->subset;
    text = fmt::format("{}: ", subset ? "subset kNN" : "kNN");
    if (knn->policy != "fixed") text += knn->policy + ", ";
    text += fmt::format("k {}, ", knn->k);
    if (knn->temperature) text += fmt::format("T {:g}, ", *knn->temperature);
    if (knn->lambda) text += fmt::format("lambda {:.6g}, ", *knn->lambda);
    if (knn->tau) text += fmt::format("tau {:g}, ", *knn->tau);
    text += fmt::format("{} {}", subset ? subset->encoder + " sentences" : "nprobe",
                        subset ? subset->sentences : knn->nprobe);
  }
  return text + fmt::format("; length penalty {:g}", decoding.length_penalty);
}

void warn_of_moses_marks(obs::Log& log, const std::filesystem::path& file,
                         const std::vector<std::string>& lines) {
  const auto marks = text::find_moses_marks(lines, 1);
  if (marks.lines == 0) return;
  log.warn(fmt::format(
      "{}:{}: '{}' looks like Moses-tokenised text ({} such lines): BLEU and chrF "
      "are for plain text; set 'postprocess' to a detokeniser",
      file.string(), marks.examples.front().line, marks.examples.front().mark, marks.lines));
}

}  // namespace

ScoredDecoding score_decoding(obs::Log& log, const std::filesystem::path& run_dir,
                              const std::string& name) {
  const auto folder = Folders(run_dir).decode / name;
  const std::string command = "decode " + name;
  const auto manifest = runtime::require_manifest(folder, "decode-" + name, command);
  const auto lines = [&](const char* file) {
    return text::read_lines(runtime::require_file(folder, manifest, file, command),
                            text::no_limits);
  };
  const auto hypotheses = lines("hyp.txt");
  const auto references = lines("ref.txt");
  warn_of_moses_marks(log, folder / "hyp.txt", hypotheses);
  warn_of_moses_marks(log, folder / "ref.txt", references);
  const auto decoding = DecodingManifest::from_json(manifest);
  if (decoding.cut > 0) {
    log.warn(
        fmt::format("{}: {} of {} translations were cut at their greatest length, as decode "
                    "said: scores are of what is left of them",
                    folder.string(), decoding.cut, hypotheses.size()));
  }
  if (hypotheses.size() != references.size()) {
    throw core::InputError(folder, fmt::format("hyp.txt has {} lines, ref.txt {}",
                                               hypotheses.size(), references.size()));
  }
  ScoredDecoding result;
  result.name = name;
  result.identity = decoding.identity;
  result.settings = describe(decoding);
  result.knn = decoding.knn.has_value();
  result.test_set =
      core::fingerprint_file(folder / "src.txt") + core::fingerprint_file(folder / "ref.txt");
  result.translations = core::fingerprint_file(folder / "hyp.txt");
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    result.bleu.push_back(metrics::bleu_statistics(hypotheses[i], references[i]));
    result.chrf.push_back(metrics::chrf_statistics(hypotheses[i], references[i]));
  }
  const core::Json record = runtime::stage_record(run_dir, "decode-" + name);
  result.tokens_per_second = core::read_fields(run_dir / "records" / ("decode-" + name + ".json"),
                                               [&] { return runtime::recorded_rate(record); });
  return result;
}

}  // namespace knnseq::stages
