// Scores of any text, a hypothesis and a reference around a NUL byte: within their bounds, and 100
// for equal ones.
#include <cmath>
#include <string>

#include "core/utf8.hpp"
#include "fuzz.hpp"
#include "metrics/bleu.hpp"
#include "metrics/chrf.hpp"
#include "metrics/ter.hpp"
#include "metrics/tokenizer_13a.hpp"

using namespace knnseq;

namespace {

bool is_score(double score) { return score >= 0 && score < 100 + 1e-9; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parts = fuzz::parts(fuzz::as_text(data, size));
  const auto hypothesis = parts.front();
  const auto reference = parts.back();
  fuzz::read([&] {
    for (const auto& token : metrics::tokenize_13a(hypothesis)) {
      fuzz::require(!token.empty() && core::is_valid_utf8(token), "a token is text");
    }
    const auto bleu = metrics::bleu_statistics(hypothesis, reference);
    for (std::size_t n = 0; n < metrics::bleu_order; ++n) {
      fuzz::require(bleu.counts[n] <= bleu.totals[n], "matches are of the hypothesis");
    }
    fuzz::require(is_score(metrics::bleu_score(bleu).score), "BLEU is a score");
    const auto chrf = metrics::chrf_statistics(hypothesis, reference);
    fuzz::require(is_score(metrics::chrf_score(chrf)), "chrF is a score");
    for (const auto& name : {"intl", "char", "zh", "none"}) {
      const std::vector<std::string> lines = {std::string(hypothesis), std::string(reference)};
      const auto kind = core::value_named<metrics::Tokenization>(name).value();
      for (const auto& words : metrics::make_bleu_tokenizer({kind, {}, {}})->tokenize(lines)) {
        for (const auto& word : words) {
          fuzz::require(!word.empty() && core::is_valid_utf8(word), "a word is text");
        }
      }
    }
    constexpr std::size_t short_enough = 400;  // shifts take cubic time
    if (hypothesis.size() + reference.size() < short_enough) {
      const auto ter = metrics::ter_statistics(hypothesis, reference);
      fuzz::require(ter.edits >= 0 && ter.reference_length >= 0, "TER counts");
      fuzz::require(metrics::ter_statistics(reference, reference).edits == 0, "equal: no edit");
    }
    const auto plus = metrics::chrf_statistics(hypothesis, reference, metrics::ChrfKind::chrf_pp);
    fuzz::require(is_score(metrics::chrf_score(plus)), "chrF++ is a score");
    const auto same = metrics::chrf_statistics(reference, reference);
    const double best = metrics::chrf_score(same);
    fuzz::require(same.hypothesis[0] == 0 || std::abs(best - 100) < 1e-9, "equal texts have 100");
  });
  return 0;
}
