#include "stages/evaluate/scored_decoding.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

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

std::string kind_of(const DecodingManifest& decoding) {
  if (decoding.memory) return "translation memory";
  if (!decoding.knn) return "base";
  return decoding.knn->subset ? "subset kNN" : "kNN";
}

/// Whether one of the indexes is of this kind, or none is known.
bool has_part(const KnnSettings& knn, std::string_view part) {
  return knn.indexes.empty() || std::ranges::any_of(knn.indexes, [&](const std::string& index) {
           return index.find(part) != index.npos;
         });
}

/// The settings of the search in the whole datastore, as far as its index has them.
void add_search(const KnnSettings& knn, std::vector<DecodingSetting>& settings) {
  const bool has_lists = has_part(knn, "IVF");
  if (has_lists) {
    settings.push_back({"nprobe", std::to_string(knn.nprobe)});
    settings.push_back({"probing", knn.probing, true});
    if (has_part(knn, "PQ")) settings.push_back({"backend", knn.backend, true});
  } else if (has_part(knn, "HNSW")) {
    settings.push_back({"ef_search", std::to_string(knn.ef_search)});
  }
}

/// The settings that a decoding was made with and that change it, from its manifest.
std::vector<DecodingSetting> settings_of(const DecodingManifest& decoding) {
  if (decoding.memory) return {{"sentences by", *decoding.memory}};
  std::vector<DecodingSetting> settings;
  const auto add = [&](const char* name, const std::string& value, bool minor = false) {
    settings.push_back({name, value, minor});
  };
  if (const auto& knn = decoding.knn) {
    if (knn->policy != "fixed") add("policy", knn->policy);
    add("k", std::to_string(knn->k));
    if (knn->temperature) add("T", fmt::format("{:g}", *knn->temperature));
    if (knn->lambda) add("lambda", fmt::format("{:.6g}", *knn->lambda));
    if (knn->tau) add("tau", fmt::format("{:g}", *knn->tau));
    if (knn->skip > 0) add("skip", fmt::format("{:.3g}", knn->skip));
    if (knn->subset) {
      add("sentences", fmt::format("{} by {}", knn->subset->sentences, knn->subset->encoder));
    } else {
      add_search(*knn, settings);
    }
  }
  add("beam", std::to_string(decoding.beam), true);
  add("length penalty", fmt::format("{:g}", decoding.length_penalty), true);
  add("max length", fmt::format("{:g}·n + {}", decoding.max_length_a, decoding.max_length_b), true);
  add("dtype", decoding.dtype, true);
  return settings;
}

/// Ranks and hosts of the record, the rest of the manifest.
DecodingMachine machine_of(const DecodingManifest& decoding, const core::Json& record) {
  DecodingMachine machine{0, decoding.threads, decoding.device, {}};
  if (record.is_null()) return machine;
  machine.ranks = record.at("ranks").get<std::int64_t>();
  std::set<std::string> processors;
  for (const auto& host : record.value("hosts", core::Json::array())) {
    processors.insert(host.at("processor").get<std::string>());
    if (host.contains("gpu")) processors.insert(host.at("gpu").get<std::string>());
  }
  machine.processors = fmt::format("{}", fmt::join(processors, ", "));
  return machine;
}

/// With nothing set, text that 13a leaves in one piece; or a tokenisation that sacrebleu advises
/// against for the language.
void warn_of_tokenization(obs::Log& log, const EvaluateOptions& options,
                          const std::filesystem::path& file,
                          const std::vector<std::string>& references) {
  if (options.tokenization().kind != metrics::Tokenization::mteval_13a) return;
  const auto language = metrics::unsplit_language(references);
  const auto better = metrics::usual_tokenization(language.empty() ? options.language : language);
  if (better == metrics::Tokenization::mteval_13a) return;
  log.warn(fmt::format(
      "{}: BLEU's tokenisation 13a does not split this text into words: set evaluate.language: {}, "
      "or evaluate.tokenize, for example to {}",
      file.string(), language.empty() ? options.language : language, core::name_of(better)));
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

ScoredDecoding score_decoding(obs::Log& log, const Options& options, const std::string& name) {
  const auto& run_dir = options.run_dir;
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
  warn_of_tokenization(log, options.evaluate, folder / "ref.txt", references);
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
  result.kind = kind_of(decoding);
  result.settings = settings_of(decoding);
  result.knn = decoding.knn.has_value();
  result.test_set =
      core::fingerprint_file(folder / "src.txt") + core::fingerprint_file(folder / "ref.txt");
  result.translations = core::fingerprint_file(folder / "hyp.txt");
  result.sentences = std::ssize(hypotheses);
  for (const auto kind : options.evaluate.scores) {
    result.scores.push_back(score_of(kind, options.evaluate, {hypotheses, references}));
    if (const auto penalty = result.scores.back().brevity_penalty) result.brevity_penalty = penalty;
  }
  for (const auto& external : options.evaluate.external) {
    if (auto score = read_external(log, external, name, result.sentences)) {
      result.scores.push_back(*std::move(score));
    }
  }
  const core::Json record = runtime::stage_record(run_dir, "decode-" + name);
  core::read_fields(run_dir / "records" / ("decode-" + name + ".json"), [&] {
    result.tokens_per_second = runtime::recorded_rate(record);
    result.machine = machine_of(decoding, record);
    return true;
  });
  return result;
}

}  // namespace knnseq::stages
