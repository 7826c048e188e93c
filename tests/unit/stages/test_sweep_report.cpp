#include <catch2/catch.hpp>

#include "stages/sweep/plot.hpp"
#include "stages/sweep/report.hpp"
#include "stages/sweep/search_settings.hpp"

using namespace knnseq;
using namespace knnseq::stages;
using Catch::Matchers::Contains;

namespace {

SweepRow row(const std::string& factory, std::int64_t share, std::vector<SweepPoint> points) {
  SweepRow made;
  made.index = factory;
  made.share = share;
  made.entries = 1'000'000 / share;
  made.train_seconds = 12.25;
  made.add_seconds = 3;
  made.bytes_per_entry = 40;
  made.queries = 500;
  made.points = std::move(points);
  return made;
}

SweepResult result() {
  SweepResult made{{1, 16}, 2, "l2", {}};
  made.rows = {row("IVF64,PQ8", 1, {{"nprobe 1", {0.5, 0.4}, 10}, {"nprobe 8", {0.99, 0.95}, 50}}),
               row("HNSW32", 1, {{"ef_search 16", {0.99, 0.91}, 40}}),
               row("IVF64,PQ8", 4, {{"nprobe 1", {0.6, 0.5}, 5}, {"nprobe 8", {0.7, 0.8}, 7}}),
               row("HNSW32", 4, {})};
  made.rows.back().note = "too few, \"all\" <in> all";
  return made;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("the table closes with each share's fastest setting of 0.9, or its best") {
  const auto table = sweep_table(result());
  CHECK_THAT(table, Contains("| IVF64,PQ8 | all   | nprobe 8     | 1,000,000 |   0.9900 |"));
  CHECK_THAT(table, Contains("HNSW32 over 1/4: too few"));
  CHECK_THAT(table, Contains("all entries: HNSW32, ef_search 16 is the fastest with recall@16 of "
                             "0.9 or more: recall@16 0.910, 40 µs a query, 40 bytes an entry"));
  CHECK_THAT(table, Contains("1/4 of the entries: IVF64,PQ8, nprobe 8 is the best, none reaching"));
}

TEST_CASE("CSV has a line for each setting, texts with commas in quotes") {
  const auto csv = sweep_csv(result());
  CHECK_THAT(csv, Contains("index,metric,share,entries,setting,recall@1,recall@16,"));
  CHECK_THAT(csv, Contains("\"IVF64,PQ8\",l2,all,1000000,nprobe 1,0.500000,0.400000,10.000,40.000,"
                           "12.250,3.000,500,1,2,\n"));
  CHECK_THAT(csv, Contains("HNSW32,l2,1/4,250000,,,,,,,,500,1,2,"
                           "\"too few, \"\"all\"\" <in> all\"\n"));
  CHECK(count(csv, "\n") == 1 + 5 + 1);
}

TEST_CASE("the plot has a line for each index and share that were measured") {
  const auto svg = sweep_plot(result());
  CHECK(svg.starts_with("<svg xmlns="));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(count(svg, "<polyline") == 3);
  CHECK(count(svg, "<circle") == 5);
  CHECK(count(svg, "recall@16") >= 2);
  // Larger times lie to the right, larger recalls above.
  CHECK_THAT(svg, Contains("IVF64,PQ8, 1/4"));
  CHECK(count(sweep_plot({{1}, 1, "l2", {}}), "<polyline") == 0);  // nothing measured: axes alone
}

TEST_CASE("results read back as they were written") {
  const SweepResult again = core::Json::parse(core::Json(result()).dump());
  CHECK(core::Json(again) == core::Json(result()));
  CHECK(sweep_csv(again) == sweep_csv(result()));
}

TEST_CASE("settings are those that an index has") {
  SweepOptions grid;
  grid.nprobe = {1, 8, 64};
  grid.ef_search = {16, 32};
  grid.k = {1, 10};
  const auto names = [&](const char* factory) {
    std::vector<std::string> all;
    for (const auto& setting : settings_for(index::parse_index_spec(factory, 16), grid).all) {
      CHECK(setting.options.k == 10);
      all.push_back(setting.name);
    }
    return all;
  };
  CHECK(names("IVF8,PQ4") == std::vector<std::string>{"nprobe 1", "nprobe 8"});
  CHECK(names("HNSW8") == std::vector<std::string>{"ef_search 16", "ef_search 32"});
  CHECK(names("Flat") == std::vector<std::string>{""});
  const auto graph = settings_for(index::parse_index_spec("IVF8_HNSW4,PQ4", 16), grid);
  CHECK(graph.all[1].options.probing == index::Probing::hnsw);
  CHECK(graph.all[1].options.nprobe == 8);
  CHECK(graph.left_out == "nprobe 64 left out: it has 8 lists");
}
