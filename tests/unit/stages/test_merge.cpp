#include <filesystem>

#include <catch2/catch.hpp>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "stages/merge/merge_sources.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;
using stages::MergeSource;

namespace {

stages::BuiltCorpus corpus_of(const std::string& name, std::int64_t entries) {
  stages::BuiltCorpus built;
  built.paths.name = name;
  built.corpus.shards = 2;
  built.index.entries = entries;
  built.datastore.keys.width = 8;
  return built;
}

MergeSource source_in(const std::filesystem::path& folder, const std::string& rows) {
  MergeSource source;
  source.run_dir = folder;
  std::filesystem::create_directories(folder);
  source.codebook = "codebook";
  source.datastore.corpora = {corpus_of("", 5), corpus_of("news", 3)};
  source.rows = {rows + " main", rows + " news"};
  return source;
}

}  // namespace

TEST_CASE("keys that cannot be searched together are not merged") {
  const test::TemporaryFolder folder;
  const auto first = source_in(folder.path() / "a", "a");
  const auto refused = [&](const auto& change) {
    auto other = source_in(folder.path() / "b", "b");
    change(other, other.datastore.corpora.front());
    try {
      stages::require_alike(first, other);
    } catch (const core::InputError& e) {
      const std::string message = e.what();
      CHECK_THAT(message, Contains(first.run_dir.string() + " and " + other.run_dir.string() +
                                   " cannot be merged: "));
      return message;
    }
    return std::string("not refused");
  };
  CHECK(refused([](auto&, auto&) {}) == "not refused");
  CHECK_THAT(refused([](auto&, auto& built) { built.datastore.made_from.model = "x"; }),
             Contains("different models"));
  CHECK_THAT(refused([](auto&, auto& built) { built.corpus.tokenizer = "x"; }),
             Contains("tokenised"));
  CHECK_THAT(refused([](auto&, auto& built) { built.datastore.made_from.layer = 1; }),
             Contains("ffn_in of layer 0 and ffn_in of layer 1"));
  CHECK_THAT(refused([](auto&, auto& built) { built.datastore.keys.width = 9; }),
             Contains("8 and 9 dimensions"));
  CHECK_THAT(refused([](auto&, auto& built) { built.corpus.shards = 1; }),
             Contains("2 and 1 shards"));
  const auto without_keys = [](auto&, auto& built) {
    built.datastore.made_from.store = stages::KeyStore::none;
  };
  CHECK(refused(without_keys) == "not refused");
  CHECK_THAT(refused([&](auto& other, auto& built) {
               without_keys(other, built);
               other.codebook = "another";
             }),
             Contains("their codebooks differ") && Contains("keys of its corpus main"));
}

TEST_CASE("what corpora are called when they are merged, and where they begin") {
  const test::TemporaryFolder folder;
  stages::Options options;
  options.run_dir = folder.path() / "c";
  std::vector<MergeSource> sources;
  sources.push_back(source_in(folder.path() / "a", "a"));
  sources.push_back(source_in(folder.path() / "b", "b"));
  CHECK_THROWS_WITH(stages::plan_merge(sources, options),
                    Contains("its corpus news would be called 'news', as is another one of"));
  sources[1].name = "b";
  sources[1].append = {{"news", {}, 3}};
  auto corpora = stages::plan_merge(sources, options);
  REQUIRE(corpora.size() == 4);
  CHECK(corpora[2].append.name == "b");
  CHECK(corpora[3].append.name == "b-news");
  CHECK(corpora[3].append.merged);
  CHECK(corpora[3].append.weight == 3);
  CHECK(corpora[3].paths.first_entry == 13);
  CHECK(corpora[3].paths.index == options.run_dir / "append/b-news/index");

  sources[1].rows[0] = sources[0].rows[0];  // both have it
  corpora = stages::plan_merge(sources, options);
  REQUIRE(corpora.size() == 3);
  CHECK(corpora[2].append.name == "b-news");
  CHECK(corpora[2].paths.first_entry == 8);

  sources[1] = source_in(folder.path() / "main", "c");
  CHECK_THROWS_WITH(stages::plan_merge(sources, options), Contains("the first one's name"));
  sources[1] = source_in(folder.path() / "b c", "c");
  CHECK_THROWS_WITH(stages::plan_merge(sources, options), Contains("must be of letters"));
  sources[1] = source_in(folder.path() / "b", "c");
  sources[1].name = "x";
  sources[1].datastore.corpora[0].index.entries = core::max_entry_number;
  CHECK_THROWS_WITH(stages::plan_merge(sources, options), Contains("more than 2^40 entries"));
}
