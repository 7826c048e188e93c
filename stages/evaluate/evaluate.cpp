#include "stages/evaluate/evaluate.hpp"

#include <cstdio>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "metrics/bleu.hpp"
#include "metrics/chrf.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/stage.hpp"
#include "store/manifest.hpp"
#include "text/moses_marks.hpp"
#include "text/read_lines.hpp"

namespace knnseq::stages {

namespace {

/// The settings that a decoding was made with, from its manifest.
std::string describe(const core::Json& inputs) {
  const auto number = [&](const char* name) { return inputs.at(name).get<double>(); };
  std::string text = "base";
  if (inputs.contains("k")) {
    text = fmt::format("kNN: k {:g}, T {:g}, lambda {:.6g}, nprobe {:g}", number("k"),
                       number("temperature"), number("lambda"), number("nprobe"));
  }
  return text + fmt::format("; length penalty {:g}", number("length_penalty"));
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

core::Json score(obs::Log& log, const std::filesystem::path& folder, const std::string& name,
                 const core::Json& manifest) {
  const std::string command = "decode " + name;
  const auto lines = [&](const char* file) {
    return text::read_lines(runtime::require_file(folder, manifest, file, command));
  };
  const auto hypotheses = lines("hyp.txt");
  const auto references = lines("ref.txt");
  warn_of_moses_marks(log, folder / "hyp.txt", hypotheses);
  warn_of_moses_marks(log, folder / "ref.txt", references);
  const auto bleu = metrics::corpus_bleu(hypotheses, references);
  return {{"name", name},
          {"settings", describe(manifest.at("inputs"))},
          {"sentences", hypotheses.size()},
          {"bleu", bleu.score},
          {"brevity_penalty", bleu.brevity_penalty},
          {"chrf", metrics::corpus_chrf(hypotheses, references)}};
}

void evaluate_all(runtime::StageContext& context, const Options& options) {
  const Folders folders(context.run_dir);
  core::Json inputs = core::Json::object();
  core::Json scores = core::Json::array();
  std::string table =
      "| decoding | sentences | BLEU | chrF | brevity penalty | settings |\n"
      "|---|---|---|---|---|---|\n";
  for (const auto& decoding : options.decode) {
    if (!decoding.reference) continue;
    const auto folder = folders.decode / decoding.name;
    const auto name = "decode-" + decoding.name;
    const auto manifest = runtime::require_manifest(folder, name, "decode " + decoding.name);
    const core::Json of_set = score(context.log, folder, decoding.name, manifest);
    inputs[decoding.name] = manifest.at("identity");
    table += fmt::format("| {} | {} | {:.2f} | {:.2f} | {:.3f} | {} |\n", decoding.name,
                         of_set["sentences"].get<std::int64_t>(), of_set["bleu"].get<double>(),
                         of_set["chrf"].get<double>(), of_set["brevity_penalty"].get<double>(),
                         of_set["settings"].get<std::string>());
    scores.push_back(of_set);
  }
  if (scores.empty()) throw core::InputError("no item of 'decode' has a reference to score with");
  table +=
      fmt::format("\nBLEU {}\nchrF {}\n", metrics::bleu_signature(), metrics::chrf_signature());
  core::make_directories(folders.evaluate);
  std::filesystem::remove(folders.evaluate / "manifest.json");
  core::write_file_durably(folders.evaluate / "scores.json",
                           core::Json{{"bleu_signature", metrics::bleu_signature()},
                                      {"chrf_signature", metrics::chrf_signature()},
                                      {"scores", scores}}
                                   .dump(2) +
                               "\n");
  core::write_file_durably(folders.evaluate / "scores.md", table);
  const auto files = runtime::describe_files(folders.evaluate, {"scores.json", "scores.md"});
  const auto manifest = store::make_manifest("evaluate", inputs, {{"files", files}});
  core::write_file_durably(folders.evaluate / "manifest.json", manifest.dump(1) + "\n");
  context.log.event("scores", {{"scores", scores}});
  std::fputs(("\n" + table + "\n").c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

void evaluate(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("evaluate");
  comm::agree(context.comm, [&] {
    if (context.comm.is_root()) evaluate_all(context, options);
  });
}

}  // namespace knnseq::stages
