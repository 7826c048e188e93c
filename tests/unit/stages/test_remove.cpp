#include <fstream>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/remove/removal_request.hpp"
#include "stages/remove/renumbering.hpp"
#include "stages/shared/inputs/put_in_place.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
namespace fs = std::filesystem;

namespace {

/// A stage's folder with one file.
void make_stage(const fs::path& run_dir, const std::string& folder, const std::string& text) {
  core::make_directories(run_dir / folder);
  runtime::write_results(run_dir, run_dir / folder, "stage", core::Json::object(),
                         {{"made.txt", text}});
}

std::string content(const fs::path& file) { return fs::exists(file) ? core::read_file(file) : ""; }

}  // namespace

TEST_CASE("what is left gets the numbers that it would have without the rest") {
  // Sentences of 3, 2, 4, 1, 2 entries; the second and the last are taken out.
  const stages::Renumbering renumbering({{7, 4, 10, 2}, {3, 1, 3, 2}});
  CHECK(renumbering.sentences() == 2);
  CHECK(renumbering.entries() == 4);
  const std::vector<std::int64_t> entries = {0, 1, 2, -1, -1, 3, 4, 5, 6, 7, -1, -1};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CHECK(renumbering.entry(static_cast<std::int64_t>(i)) == entries[i]);
  }
  const std::vector<std::int64_t> sentences = {0, -1, 1, 2, -1};
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    CHECK(renumbering.sentence(static_cast<std::int64_t>(i)) == sentences[i]);
  }
  CHECK(stages::Renumbering().entry(5) == 5);
}

TEST_CASE("a removal that is ready is finished wherever a kill has interrupted it") {
  const int renames = GENERATE(0, 1, 2, 3, 4);  // that were done before the kill
  const test::TemporaryFolder run_dir;
  const stages::ReplacementFolders folders(run_dir.path(), stages::removing);
  make_stage(run_dir.path(), "index", "old");
  make_stage(run_dir.path(), "append/news/index", "old news");
  make_stage(run_dir.path(), "export", "of old");
  core::write_file_durably(run_dir / "index" / "of-others", "stays");
  core::make_directories(folders.next);
  make_stage(run_dir.path(), "remove/next/index", "new");
  stages::Replacement replacement{
      {"index"}, {"append/news/index", "export"}, stages::Removals{{"news"}, {{"main", 3}}}};
  CHECK_FALSE(fs::exists(folders.ready));
  stages::require_no_unfinished_change(run_dir.path(), "decode");
  stages::make_ready(folders, replacement);
  CHECK(fs::exists(folders.ready));
  CHECK_THROWS_AS(stages::require_no_unfinished_change(run_dir.path(), "decode"), core::InputError);

  const std::vector<std::pair<fs::path, fs::path>> steps = {
      {run_dir / "index", folders.replaced / "index"},
      {folders.ready / "index", run_dir / "index"},
      {run_dir / "export", folders.replaced / "export"},
      {run_dir.path() / "append/news/index", folders.replaced / "append/news/index"}};
  for (int i = 0; i < renames; ++i) {
    core::make_directories(steps[i].second.parent_path());
    fs::rename(steps[i].first, steps[i].second);
  }
  stages::put_in_place(folders);
  CHECK(content(run_dir / "index" / "made.txt") == "new");
  CHECK(content(run_dir / "index" / "of-others") == "stays");
  CHECK_FALSE(fs::exists(run_dir / "append"));
  CHECK_FALSE(fs::exists(run_dir / "export"));
  CHECK_FALSE(fs::exists(folders.ready));
  CHECK_FALSE(fs::exists(folders.replaced));
  const auto removals = stages::Removals::read(run_dir.path());
  CHECK(removals.corpora == std::vector<std::string>{"news"});
  CHECK(removals.pairs.at("main") == 3);
}

TEST_CASE("a list of pairs is read, or refused by file and line") {
  const test::TemporaryFolder folder;
  stages::BuiltDatastore datastore;
  datastore.corpora.resize(2);
  datastore.corpora[0].corpus.lines = 10;
  datastore.corpora[1].corpus.lines = 5;
  datastore.corpora[1].paths.name = "news";
  const auto read = [&](const std::string& text, const std::vector<std::string>& names = {}) {
    core::write_file_durably(folder / "list", text);
    return stages::read_removal_request(datastore, names, folder / "list");
  };
  const auto request = read("main\t10\n\nnews\t1\r\nmain\t3\nmain\t3\n");
  CHECK(request.lines.at("main") == std::set<std::int64_t>{2, 9});
  CHECK(request.lines.at("news") == std::set<std::int64_t>{0});
  CHECK(stages::RemovalRequest::from_json(request.to_json()).lines == request.lines);
  CHECK(read("news\t1\n", {"news"}).lines.empty());
  using Catch::Contains;
  for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
           {"main\t1\nmain 2\n", "list:2: is not 'corpus<TAB>line'"},
           {"new\t1\n", "no corpus 'new'; did you mean 'news'?"},
           {"news\t6\n", "'6' is not the number of a line of news, from 1 to 5"},
           {"main\t0\n", "from 1 to 10"},
           {"main\t1x\n", "'1x' is not the number"},
           {"main\t\n", "'' is not the number"}}) {
    CHECK_THROWS_WITH(read(text), Contains(says));
  }
  CHECK_THROWS_WITH(read("", {"main"}), Contains("only single pairs"));
  CHECK_THROWS_WITH(read("", {"nws"}), Contains("did you mean 'news'?"));
}
