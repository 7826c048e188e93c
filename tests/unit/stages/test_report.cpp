// The report of a run directory: what it reads, and its pictures.
#include <filesystem>
#include <regex>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "stages/report/html.hpp"
#include "stages/report/pictures.hpp"
#include "stages/report/run_facts.hpp"
#include "stages/tune/heat_map.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::stages;
using Catch::Matchers::Contains;

namespace {

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

double width_of(const std::string& svg) {
  std::smatch parts;
  REQUIRE(std::regex_search(svg, parts, std::regex("width=\"([0-9]+)\"")));
  return std::stod(parts[1]);
}

/// Widths of the bars with titles.
std::vector<double> bars(const std::string& svg) {
  std::vector<double> widths;
  const std::regex bar("<rect x=\"[0-9.]+\" y=\"[0-9.]+\" width=\"([0-9.]+)\"[^>]*><title>");
  for (std::sregex_iterator at(svg.begin(), svg.end(), bar), end; at != end; ++at) {
    widths.push_back(std::stod((*at)[1]));
  }
  return widths;
}

constexpr const char* record = R"({"seconds_max": 10, "ended": "2026-01-01T10:00:10Z"})";

/// Two values of k, two temperatures, three λ; the model alone is better than half of them.
TuneResult tuned() {
  TuneResult result;
  auto& all = result.likelihoods;
  all = {"nprobe", {4, 8}, {32}, {10, 20}, {0.2F, 0.5F, 0.8F}, 100, -2.55};
  for (const auto k : all.k) {
    for (const auto temperature : all.temperature) {
      for (const auto lambda : all.lambda) {
        all.settings.push_back(
            {k, temperature, lambda, 32, -2.0 - 0.1 * static_cast<double>(all.settings.size())});
      }
    }
  }
  result.candidates = {{.scores = {.bleu = 5}},
                       {.setting = all.settings[1], .scores = {.bleu = 20}},
                       {.setting = all.settings[6], .scores = {.bleu = 21}}};
  return result;
}

}  // namespace

TEST_CASE("the log gives warnings once, the last training, and ends of steps") {
  const test::TemporaryFolder folder;
  folder.write("log.jsonl",
               R"({"event":"stage_begin","stage":"train"}
{"event":"iteration","stage":"train","message":"pq iteration 1/2: mean squared error 12.5"}
{"event":"stage_begin","stage":"train"}
{"event":"iteration","stage":"train","message":"pq iteration 1/2: mean squared error 9.5"}
{"event":"iteration","stage":"train","message":"pq iteration 2/2: mean squared error 9.25"}
{"event":"iteration","stage":"train","message":"something else"}
{"event":"stage_done","stage":"train","time":"2026-01-01T10:00:00Z"}
{"event":"warning","stage":"decode","message":"cut"}
[1]
{"event":"warning","stage":"decode","message":"cut"}
{"event":"warn)");
  const auto log = read_log(folder.path());
  CHECK(log.errors.at("train").at("pq") == std::vector<double>{9.5, 9.25});
  CHECK(log.ended.at("train") == "2026-01-01T10:00:00Z");
  REQUIRE(log.warnings.size() == 1);
  CHECK(log.warnings.front().times == 2);
  CHECK(read_log(folder / "nothing").warnings.empty());

  CHECK(read_steps(folder.path(), log).empty());
  std::filesystem::create_directory(folder / "records");
  folder.write("records/encode.json", record);
  folder.write("records/train.json", R"({"seconds_max": 2})");  // of a version without times
  folder.write("records/encode.yaml", "");
  const auto steps = read_steps(folder.path(), log);
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].name == "train");
  CHECK(steps[0].ended == steps[1].began);
  CHECK(steps[1].seconds() == 10);
  folder.write("records/add.json", "{}");
  CHECK_THROWS_WITH(read_steps(folder.path(), log),
                    Contains("add.json") && Contains("seconds_max"));
}

TEST_CASE("a time line leaves out the time in which nothing worked") {
  const auto svg = time_line({{"a", {{1000, 1010}, {90'000, 90'060}}}, {"b", {{1010, 1040}}}});
  const auto widths = bars(svg);
  REQUIRE(widths.size() == 3);
  CHECK(widths[1] == Approx(6 * widths[0]).epsilon(0.01));
  CHECK(widths[2] == Approx(3 * widths[0]).epsilon(0.01));
  CHECK(occurrences(svg, "stroke-dasharray") == 1);  // one break
  CHECK_THAT(svg, Contains(">1 min 10 s</text>") && Contains(">30 s</text>"));
  CHECK(occurrences(time_line({{"a", {{5, 5}}}}), "<title>") == 1);
}

TEST_CASE("pictures of lists, errors and scores show all that they are given") {
  const auto lists = list_sizes_picture({0, 3, 3, 200});
  CHECK_THAT(lists, Contains("mean 52"));
  CHECK_THAT(lists, Contains("3 lists of 0 to "));
  CHECK(occurrences(list_sizes_picture({0, 0}), "2 lists of 0 to 0 entries") == 1);
  const auto errors = errors_picture({{"opq", {3, 2, 2}}, {"pq", {5}}});
  CHECK(occurrences(errors, "<polyline") == 2);
  CHECK_THAT(errors, Contains("opq: 2<") && Contains("pq: 5<"));
  const auto scores = scores_picture("bleu", {{"<base>", 5, 1}, {"knn", 20.5, 1.5}});
  CHECK_THAT(scores, Contains("20.50 ± 1.50") && Contains("&lt;base&gt;"));
}

TEST_CASE("a map of what tune measured: a cell for each setting, a legend, and the choice") {
  const auto result = tuned();
  const auto svg = heat_map(result);
  CHECK(occurrences(svg, "<title>") == result.likelihoods.settings.size());
  CHECK_THAT(svg, Contains("k4-T10-lambda0.2-nprobe32: perplexity 7.389"));
  CHECK(occurrences(svg, "class=\"sunk\"") ==
        6 + 1);                                 // worse than the model alone, and their legend
  CHECK(occurrences(svg, "#d1105a") == 2 * 2);  // the chosen one, and its legend
  CHECK_THAT(svg, Contains("chosen, by BLEU"));
  CHECK(width_of(svg) <= 1080);
  // With general text only those are compared that have translated it.
  auto two = tuned();
  two.candidates[0].general = two.candidates[1].general = Scores{.bleu = 30};
  CHECK_THAT(heat_map(two), Contains("chosen, by mean BLEU"));
  CHECK(heat_map(two) != svg);
  // Many maps go into several rows.
  auto wide = tuned();
  wide.likelihoods.k.assign(12, 4);
  std::vector<TunedSetting> settings;
  for (int i = 0; i < 12; ++i) {
    settings.insert(settings.end(), result.likelihoods.settings.begin(),
                    result.likelihoods.settings.begin() + 6);
  }
  wide.likelihoods.settings = settings;
  CHECK(width_of(heat_map(wide)) <= 1080);
}

TEST_CASE("columns of a table that say nothing are left out") {
  const auto html = html_table({{"a", "b", "c"}, {"1", "", ""}, {"2", "", "3"}});
  CHECK(occurrences(html, "<th") == 2 + 1);  // and <thead>
  CHECK(occurrences(html, "<td") == 2 * 2);
}

TEST_CASE("text of a run directory is text in its report") {
  const std::string text = "<script>alert(1)</script> & \"x\"";
  for (const auto& html :
       {html_table({{text, text}, {text, text}}), html_details(text, ""), html_preformatted(text),
        html_figures({{text, text}}), html_paragraph(text), html_section("id", text, ""),
        html_page(text, "")}) {
    CHECK(occurrences(html, "<script") == 0);
    CHECK_THAT(html, Contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;x&quot;"));
  }
}
