#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "fixture.hpp"
#include "metrics/bleu.hpp"
#include "metrics/bootstrap.hpp"
#include "metrics/chrf.hpp"
#include "metrics/ter.hpp"

using namespace knnseq;
using Catch::Contains;

namespace {

const core::Json& expected() {
  static const core::Json json = core::read_json(metrics_data("languages.json"));
  return json;
}

/// One side of the pairs.
std::vector<std::string> side(std::size_t which) {
  std::vector<std::string> lines;
  for (const auto& pair : expected().at("pairs")) lines.push_back(pair.at(which));
  return lines;
}

metrics::BleuTokenization by(const std::string& name) {
  metrics::BleuTokenization how;
  how.kind = core::value_named<metrics::Tokenization>(name).value();
  if (name == "spm") {
    how.model = std::filesystem::path(KNNSEQ_SOURCE_DIR) / "models/demo-de-en/source.spm";
  }
  return how;
}

void check_exact(double value, const core::Json& score) {
  CHECK(value == Approx(score.get<double>()).epsilon(1e-12).margin(0));
}

/// sacrebleu's signature with our version.
std::string ours(const core::Json& scored) {
  const auto theirs = scored.at("signature").get<std::string>();
  return theirs.substr(0, theirs.rfind(':')) + ":knnseq-0.1.0";
}

}  // namespace

TEST_CASE("words, scores and signatures of all tokenisations are sacrebleu's") {
  const std::vector<std::string> lines[] = {side(0), side(1)};
  REQUIRE(lines[0].size() > 30);
  for (const auto& [name, tokenized] : expected().at("tokenized").items()) {
    const auto tokenizer = metrics::make_bleu_tokenizer(by(name));
    std::vector<metrics::Words> words[] = {tokenizer->tokenize(lines[0]),
                                           tokenizer->tokenize(lines[1])};
    metrics::BleuStatistics bleu;
    for (std::size_t i = 0; i < lines[0].size(); ++i) {
      for (std::size_t s : {0, 1}) {
        INFO(name << ": " << lines[s][i]);
        CHECK(fmt::format("{}", fmt::join(words[s][i], " ")) == tokenized[i][s].get<std::string>());
      }
      bleu += metrics::bleu_statistics(words[0][i], words[1][i]);
    }
    INFO(name);
    const auto& scored = expected().at("bleu").at(name);
    check_exact(metrics::bleu_score(bleu).score, scored.at("score"));
    CHECK(metrics::bleu_signature(tokenizer->signature()) == ours(scored));
  }
}

TEST_CASE("chrF++ and TER are sacrebleu's") {
  auto hypotheses = side(0);
  auto references = side(1);
  const auto more = metrics_lines("hypotheses.txt");
  const auto of_more = metrics_lines("references.txt");
  metrics::ChrfStatistics chrf, chrf_all;
  metrics::TerStatistics ter, ter_all;
  const auto& edits = expected().at("ter_lines");
  REQUIRE(edits.size() == hypotheses.size() + more.size());
  const auto look = [&](const auto& left, const auto& right, std::size_t first, auto& c, auto& t) {
    for (std::size_t i = 0; i < left.size(); ++i) {
      INFO(left[i] << " ||| " << right[i]);
      c += metrics::chrf_statistics(left[i], right[i], metrics::ChrfKind::chrf_pp);
      const auto statistics = metrics::ter_statistics(left[i], right[i]);
      CHECK(statistics.edits == edits[first + i][0].get<std::int64_t>());
      CHECK(statistics.reference_length == edits[first + i][1].get<std::int64_t>());
      t += statistics;
    }
  };
  look(hypotheses, references, 0, chrf, ter);
  look(more, of_more, hypotheses.size(), chrf_all, ter_all);
  check_exact(metrics::chrf_score(chrf), expected().at("chrf_pp").at("score"));
  check_exact(metrics::chrf_score(chrf_all), expected().at("chrf_pp_all"));
  check_exact(metrics::ter_score(ter), expected().at("ter").at("score"));
  check_exact(metrics::ter_score(ter_all), expected().at("ter_all"));
  CHECK(metrics::chrf_signature(metrics::ChrfKind::chrf_pp) == ours(expected().at("chrf_pp")));
  CHECK(metrics::ter_signature() == ours(expected().at("ter")));
  CHECK(metrics::ter_score({}) == 0);
  CHECK(metrics::ter_score({3, 0}) == 100);
}

TEST_CASE("intervals and p-values of chrF++ and TER are sacrebleu's") {
  const auto& found = expected().at("bootstrap");
  const auto first = found.at("lines")[0].get<std::size_t>();
  const auto end = found.at("lines")[1].get<std::size_t>();
  const auto hypotheses = metrics_lines("hypotheses.txt");
  const auto references = metrics_lines("references.txt");
  const metrics::Resamples resamples(found.at("resamples"), static_cast<std::int64_t>(end - first),
                                     found.at("seed"));
  const auto compare = [&](const std::string& name, const auto& of_line, const auto& score_of) {
    using Statistics = decltype(of_line("", ""));
    std::vector<Statistics> baseline, system;
    for (auto i = first; i < end; ++i) {
      const auto& line = hypotheses[i];
      const bool cut = (i - first) % 2 == 0 && line.find(' ') != line.npos;
      system.push_back(of_line(line, references[i]));
      baseline.push_back(of_line(cut ? line.substr(0, line.rfind(' ')) : line, references[i]));
    }
    const auto resampled = [&](const std::vector<Statistics>& all) {
      return metrics::score_resamples<Statistics>(all, resamples, score_of);
    };
    const auto total = [&](const std::vector<Statistics>& all) {
      Statistics sum;
      for (const auto& one : all) sum += one;
      return score_of(sum);
    };
    const auto ours_now = resampled(system);
    const auto interval = metrics::interval_95(ours_now);
    const auto& theirs = found.at(name + "_system");
    INFO(name);
    // sacrebleu keeps the scores of resamples in single precision.
    CHECK(interval.mean == Approx(theirs.at("mean").get<double>()).epsilon(1e-6));
    CHECK(interval.half_width == Approx(theirs.at("ci").get<double>()).epsilon(1e-6));
    check_exact(metrics::paired_p_value(resampled(baseline), ours_now,
                                        std::abs(total(baseline) - total(system))),
                theirs.at("p_value"));
  };
  compare(
      "chrF2++",
      [](const std::string& a, const std::string& b) {
        return metrics::chrf_statistics(a, b, metrics::ChrfKind::chrf_pp);
      },
      metrics::chrf_score);
  compare(
      "TER",
      [](const std::string& a, const std::string& b) { return metrics::ter_statistics(a, b); },
      metrics::ter_score);
}

TEST_CASE("which tokenisation a language gets") {
  using metrics::Tokenization;
  using metrics::usual_tokenization;
  for (const char* language : {"en", "de", "deu_Latn", "pt-BR", "ru", "ar", "hi", "vi", "", "xx"}) {
    CHECK(usual_tokenization(language) == Tokenization::mteval_13a);
  }
  for (const char* language : {"zh", "ZH", "zh-CN", "zh_TW", "zho_Hans", "yue_Hant"}) {
    CHECK(usual_tokenization(language) == Tokenization::zh);
  }
  CHECK(usual_tokenization("jpn_Jpan") == Tokenization::ja_mecab);
  CHECK(usual_tokenization("ko") == Tokenization::ko_mecab);
  for (const char* language : {"th", "tha_Thai", "lo", "km", "my", "bod_Tibt"}) {
    CHECK(usual_tokenization(language) == Tokenization::spm);
  }
}

TEST_CASE("text that 13a does not split is noticed") {
  const auto language_of = [](std::vector<std::string> lines) {
    return metrics::unsplit_language(lines);
  };
  CHECK(language_of({"我很喜欢机器翻译。", "Windows 10"}) == "zh");
  CHECK(language_of({"私は昨日、東京で寿司を食べました。"}) == "ja");
  CHECK(language_of({"한국어 문장입니다."}) == "ko");
  CHECK(language_of({"ฉันรักภาษาไทย"}) == "th");
  CHECK(language_of({"ខ្ញុំស្រឡាញ់ភាសាខ្មែរ។"}) == "th");
  CHECK(language_of({"Das Wort 我 steht in diesem Satz."}).empty());
  CHECK(language_of({"Я люблю перевод"}).empty());
  CHECK(language_of({}).empty());
}

TEST_CASE("tokenisations that need something say what") {
  metrics::BleuTokenization how;
  how.kind = metrics::Tokenization::ja_mecab;
  CHECK_THROWS_WITH(
      metrics::make_bleu_tokenizer(how),
      Contains("ja-mecab needs evaluate.tokenize_command") && Contains("mecab-ipadic-utf8"));
  how.kind = metrics::Tokenization::ko_mecab;
  CHECK_THROWS_WITH(metrics::make_bleu_tokenizer(how), Contains("ko-mecab needs"));
  how.command = "sed 's/./& /g'";
  const auto tokenizer = metrics::make_bleu_tokenizer(how);
  const std::vector<std::string> lines = {" ab c ", "", "d"};
  CHECK(tokenizer->tokenize(lines) == std::vector<metrics::Words>{{"a", "b", "c"}, {}, {"d"}});
  CHECK(tokenizer->signature() == "ko-mecab-by-command");
  how.kind = metrics::Tokenization::spm;
  CHECK_THROWS_WITH(metrics::make_bleu_tokenizer(how), Contains("evaluate.spm_model"));
  how.model = "none.model";
  CHECK_THROWS_WITH(metrics::make_bleu_tokenizer(how), Contains("none.model"));
  const std::vector<std::string> bad = {"\xFF"};
  for (const char* name : {"intl", "char", "zh", "none", "spm", "13a"}) {
    CHECK_THROWS_AS(metrics::make_bleu_tokenizer(by(name))->tokenize(bad), core::InputError);
  }
}
