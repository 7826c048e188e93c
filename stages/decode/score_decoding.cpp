#include "stages/decode/score_decoding.hpp"

#include "core/error.hpp"
#include "metrics/bleu.hpp"
#include "metrics/bleu_tokenizer.hpp"
#include "metrics/chrf.hpp"
#include "runtime/stage_runner.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

Scores score_decoding(const Options& options, const std::filesystem::path& folder,
                      const std::string& stage, const std::string& command) {
  const auto manifest = runtime::require_manifest(folder, stage, command);
  const auto lines = [&](const char* file) {
    return text::read_lines(runtime::require_file(folder, manifest, file, command),
                            text::no_limits);
  };
  const auto hypotheses = lines("hyp.txt");
  const auto references = lines("ref.txt");
  if (hypotheses.size() != references.size()) {
    throw core::InputError(folder, "hyp.txt and ref.txt have different numbers of lines");
  }
  const auto tokenizer = metrics::make_bleu_tokenizer(options.evaluate.tokenization());
  const auto bleu = metrics::corpus_bleu(*tokenizer, hypotheses, references);
  return {bleu.score, metrics::corpus_chrf(hypotheses, references), bleu.brevity_penalty};
}

}  // namespace knnseq::stages
