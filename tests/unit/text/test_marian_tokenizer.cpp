#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "core/files.hpp"
#include "support/temporary_folder.hpp"
#include "text/tokenizers/tokenizer.hpp"
#include "tokenization.hpp"

using knnseq::test::TemporaryFolder;

using namespace knnseq;
using core::TokenId;

namespace {

namespace fs = std::filesystem;

const fs::path source_dir = KNNSEQ_SOURCE_DIR;
const fs::path demo = source_dir / "models/demo-de-en";

std::vector<TokenId> ids_of(const core::Json& json) { return json.get<std::vector<TokenId>>(); }

}  // namespace

TEST_CASE("ids and text are those of transformers' MarianTokenizer") {
  const auto tokenizer = text::load_tokenizer(demo);
  const core::Json reference = core::read_json(source_dir / "tests/data/marian_tokenizer.json");
  REQUIRE(reference.at("texts").size() > 40);
  for (const auto& row : reference.at("texts")) {
    const auto text = row.at("text").get<std::string>();
    INFO(row.dump());
    const auto source = tokenizer->encode_source(text);
    const auto target = tokenizer->encode_target(text);
    CHECK(source == ids_of(row.at("source_ids")));
    CHECK(target == ids_of(row.at("target_ids")));
    CHECK(tokenizer->decode_source(source) == row.at("source_decoded").get<std::string>());
    CHECK(tokenizer->decode_target(target) == row.at("target_decoded").get<std::string>());
  }
  for (const auto& row : reference.at("tokens")) {
    INFO(row.dump());
    CHECK(tokenizer->decode_target(ids_of(row.at("ids"))) == row.at("decoded").get<std::string>());
  }
}

TEST_CASE("ids and text of whole directories") {
  text::testing::check_tokenization(text::testing::models / "marian-separate");
  text::testing::check_tokenization(text::testing::models / "marian-sharded");
  const auto separate = text::load_tokenizer(text::testing::models / "marian-separate");
  CHECK(separate->source_vocab_size() == 110);
  CHECK(separate->vocab_size() == 131);
}

TEST_CASE("the demo model's vocabulary") {
  const auto tokenizer = text::load_tokenizer(demo);
  CHECK(tokenizer->vocab_size() == 8000);
  CHECK(tokenizer->eos() == 0);
  CHECK(tokenizer->unk() == 1);
  CHECK(tokenizer->pad() == 7999);
  CHECK_THROWS_AS(tokenizer->decode_target(std::vector<TokenId>{8000}), std::logic_error);
  CHECK_THROWS_AS(tokenizer->decode_target(std::vector<TokenId>{-1}), std::logic_error);
  CHECK(text::tokenizer_files(demo) ==
        std::vector<fs::path>{demo / "source.spm", demo / "target.spm", demo / "vocab.json",
                              demo / "tokenizer_config.json"});
}

TEST_CASE("separate vocabularies, language tokens and cleaned spaces") {
  const TemporaryFolder folder;
  for (const char* name : {"config.json", "source.spm", "target.spm"}) {
    fs::copy_file(demo / name, folder / name);
  }
  core::Json vocabulary = core::read_json(demo / "vocab.json");
  core::Json turned;  // the target side's ids count the other way
  for (const auto& [token, id] : vocabulary.items()) {
    const auto number = id.get<int>();
    turned[token] = number < 2 || number == 7999 ? number : 8000 - number;
  }
  vocabulary.erase("<0x00>");
  vocabulary[">>en<<"] = 2;
  folder.write("vocab.json", vocabulary.dump());
  folder.write("target_vocab.json", turned.dump());
  folder.write("tokenizer_config.json",
               R"({"separate_vocabs": true, "clean_up_tokenization_spaces": true})");

  const auto one = text::load_tokenizer(demo);
  const auto two = text::load_tokenizer(folder.path());
  CHECK(text::tokenizer_files(folder.path()).size() == 5);
  const std::string text = "Das ist ein Haus.";
  CHECK(two->encode_source(text) == one->encode_source(text));
  auto expected = one->encode_target(text);
  for (TokenId& id : expected) id = 8000 - id;
  const auto target = two->encode_target(text);
  CHECK(target == expected);
  CHECK(two->decode_target(target) == text);

  auto tagged = one->encode_source(text);
  tagged.insert(tagged.begin(), 2);
  CHECK(two->encode_source(">>en<<" + text) == tagged);
  tagged.front() = 1;
  CHECK(two->encode_source(">>fr<<" + text) == tagged);
  CHECK(one->decode_target(one->encode_target("He 's here .")) == "He 's here .");
  CHECK(two->decode_target(two->encode_target("He 's here .")) == "He's here.");
}

TEST_CASE("one tokenizer serves several threads") {
  const auto tokenizer = text::load_tokenizer(demo);
  const std::string text = "Wir werden meinen Großvater diese Woche besuchen 😀.";
  const auto expected = tokenizer->encode_source(text);
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (int& mine : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        const auto ids = tokenizer->encode_source(text);
        if (ids != expected || tokenizer->decode_source(ids) != text) ++mine;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4));
}
