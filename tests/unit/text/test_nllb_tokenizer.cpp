#include <algorithm>

#include "core/error.hpp"
#include "support/temporary_folder.hpp"
#include "tokenization.hpp"

namespace knnseq::text {

namespace {

using Catch::Contains;
using core::Json;
using core::TokenId;
using testing::models;

struct NllbFolder : test::TemporaryFolder {
  NllbFolder() { testing::copy_tokenizer(models / "nllb", path()); }

  std::unique_ptr<Tokenizer> load() const {
    return load_tokenizer(path(), {"deu_Latn", "eng_Latn"});
  }
};

constexpr const char* nllb_config_file = "tokenizer_config.json";
constexpr const char* map_file = "special_tokens_map.json";

/// {id: token} of the special tokens, as transformers writes it.
Json numbered(const Json& fast) {
  Json made;
  for (const Json& token : fast.at("added_tokens")) made[token.at("id").dump()] = token;
  return made;
}

}  // namespace

TEST_CASE("NLLB: ids and text are those of transformers", "[text]") {
  testing::check_tokenization(models / "nllb");
}

TEST_CASE("NLLB: special tokens, and spaces at the end, which SentencePiece drops", "[text]") {
  const auto tokenizer = load_tokenizer(models / "nllb", {"deu_Latn", "zul_Latn"});
  CHECK(tokenizer->eos() == 2);
  CHECK(tokenizer->pad() == 1);
  CHECK(tokenizer->unk() == 3);
  const TokenId last = tokenizer->forced_target_tokens().at(0);
  CHECK(tokenizer->encode_source("<mask>") == std::vector<TokenId>{last + 1});
  CHECK(tokenizer->vocab_size() == last + 2 + 2);  // the model has two more
  CHECK(tokenizer->decode_target(std::vector<TokenId>{last, last + 1, last + 3}).empty());
  CHECK_THROWS_AS(tokenizer->decode_target(std::vector<TokenId>{last + 4}), std::logic_error);
  CHECK(tokenizer->is_special(last));
  CHECK_FALSE(tokenizer->is_special(tokenizer->unk()));
  CHECK(tokenizer->encode_source("Haus \t ") == tokenizer->encode_source("Haus"));
  CHECK(tokenizer->encode_source(" ").empty());
}

TEST_CASE("NLLB: languages from whichever file has them", "[text]") {
  const NllbFolder folder;
  const auto expected = load_tokenizer(models / "nllb", {"deu_Latn", "eng_Latn"});
  const auto check_same = [&] {
    const auto tokenizer = folder.load();
    CHECK(tokenizer->source_frame().prefix == expected->source_frame().prefix);
    CHECK(tokenizer->forced_target_tokens() == expected->forced_target_tokens());
    CHECK(tokenizer->encode_source("<mask>zul_Latn") == expected->encode_source("<mask>zul_Latn"));
  };
  std::filesystem::remove(folder / map_file);
  check_same();  // NLLB-200's own
  std::filesystem::remove(folder / nllb_config_file);
  check_same();
  const Json added = numbered(core::read_json(models / "nllb" / "tokenizer.json"));
  folder.write(
      nllb_config_file,
      Json{{"tokenizer_class", "NllbTokenizerFast"}, {"added_tokens_decoder", added}}.dump());
  check_same();

  const TokenId first = expected->encode_source("ace_Arab").at(0);
  folder.write(nllb_config_file, "{}");
  folder.write(map_file, R"({"additional_special_tokens": ["eng_Latn", "deu_Latn"]})");
  folder.write("added_tokens.json", Json{{"deu_Latn", first}, {"eng_Latn", first + 5}}.dump());
  CHECK(folder.load()->forced_target_tokens() == std::vector<TokenId>{first + 5});
  CHECK_THROWS_WITH(load_tokenizer(folder.path(), {"zul_Latn", "eng_Latn"}),
                    Contains("source_lang") && Contains("it knows: deu_Latn, eng_Latn"));
}

TEST_CASE("NLLB: an added language has the id that transformers wrote", "[text]") {
  const auto data = models.parent_path() / "nllb-added";
  const Json expected = core::read_json(data / "expected.json").at("ids");
  const auto check = [&](const NllbFolder& folder) {
    const auto tokenizer = load_tokenizer(folder.path(), {"deu_Latn", "gsw_Latn"});
    CHECK(tokenizer->forced_target_tokens() ==
          std::vector<TokenId>{expected.at("gsw_Latn").get<TokenId>()});
    for (const auto& [token, id] : expected.items()) {
      INFO(token);
      CHECK(tokenizer->encode_source(token) == std::vector<TokenId>{id.get<TokenId>()});
    }
  };
  const auto names_file = [](const NllbFolder& folder) {
    const auto files = tokenizer_files(folder.path());
    return std::ranges::find(files, folder / "tokenizer.json") != files.end();
  };
  // transformers 5: listed in tokenizer_config.json, numbered in tokenizer.json.
  const NllbFolder five;
  std::filesystem::remove(five / map_file);
  for (const char* name : {"tokenizer.json", nllb_config_file}) {
    std::filesystem::copy_file(data / name, five / name,
                               std::filesystem::copy_options::overwrite_existing);
  }
  check(five);
  CHECK(names_file(five));

  // transformers 4: numbered in tokenizer_config.json, or the added one alone in added_tokens.json.
  const NllbFolder four;
  const Json fast = core::read_json(data / "tokenizer.json");
  four.write(nllb_config_file, Json{{"added_tokens_decoder", numbered(fast)}}.dump());
  check(four);
  four.write("tokenizer.json", fast.dump());
  check(four);
  CHECK_FALSE(names_file(four));  // says nothing that is not said elsewhere
  four.write(nllb_config_file, "{}");
  std::filesystem::remove(four / "tokenizer.json");
  four.write("added_tokens.json", R"({"gsw_Latn": 344})");
  check(four);

  // What it published needs no tokenizer.json.
  const NllbFolder plain;
  std::filesystem::copy_file(models / "nllb" / "tokenizer.json", plain / "tokenizer.json");
  CHECK_FALSE(names_file(plain));
}

TEST_CASE("NLLB: ids that no file states are not guessed", "[text]") {
  const NllbFolder folder;
  const auto refused = [&](const char* file, const char* reason) {
    CHECK_THROWS_AS(folder.load(), core::InputError);
    CHECK_THROWS_WITH(folder.load(), Contains(file) && Contains(reason));
  };
  Json listed = core::read_json(folder / map_file);
  Json& languages = listed["additional_special_tokens"];
  languages.push_back("gsw_Latn");
  folder.write(map_file, listed.dump());
  refused(map_file, "lists 'gsw_Latn', which is not one of NLLB-200's, and no file states the ids");
  folder.write("added_tokens.json", R"({"gsw_Latn": 344})");
  CHECK(folder.load()->forced_target_tokens().size() == 1);
  folder.write("added_tokens.json", R"({"gsw_Latn": 343})");
  refused("added_tokens.json", "'gsw_Latn' has the id 343, which is that of '<mask>'");
  folder.write("added_tokens.json", R"({"gsw_Latn": 343, "<mask>": 344})");
  CHECK(folder.load()->encode_source("gsw_Latn<mask>") == std::vector<TokenId>{343, 344});
  folder.write("added_tokens.json", R"({"deu_Latn": 343})");
  refused(map_file, "lists 'ace_Arab'");
  std::filesystem::remove(folder / "added_tokens.json");
  languages = Json{"deu_Latn", "eng_Latn"};
  folder.write(map_file, listed.dump());
  refused(map_file, "lists some of NLLB-200's languages, or in another order");
}

TEST_CASE("NLLB: files that contradict one another are refused", "[text]") {
  const NllbFolder folder;
  const auto refused = [&](const char* file, const std::string& reason) {
    CHECK_THROWS_AS(folder.load(), core::InputError);
    CHECK_THROWS_WITH(folder.load(), Contains(file) && Contains(reason));
  };
  folder.write("added_tokens.json", R"({"gsw_Latn": 344})");
  Json fast = core::read_json(models / "nllb" / "tokenizer.json");
  fast["added_tokens"].push_back({{"id", 345}, {"content", "gsw_Latn"}});
  folder.write("tokenizer.json", fast.dump());
  refused("tokenizer.json", "'gsw_Latn' has the id 345 here, but 'gsw_Latn' has 344");
  fast["added_tokens"].back() = {{"id", 344}, {"content", "bar_Latn"}};
  folder.write("tokenizer.json", fast.dump());
  refused("tokenizer.json", "'bar_Latn' has the id 344 here, but 'gsw_Latn' has 344");
  fast["added_tokens"].back() = {{"id", 345}, {"content", "word"}, {"special", false}};
  folder.write("tokenizer.json", fast.dump());
  refused("tokenizer.json", "adds the token 'word', which is not special");
  fast["added_tokens"].erase(fast["added_tokens"].size() - 1);
  fast["model"]["vocab"]["other"] = 17;  // another SentencePiece model's
  folder.write("tokenizer.json", fast.dump());
  refused("tokenizer.json", "'other' has the id 17 here");
}

TEST_CASE("NLLB: the source language behind the end of sentence", "[text]") {
  const NllbFolder folder;
  folder.write(nllb_config_file, R"({"legacy_behaviour": true})");
  const auto tokenizer = folder.load();
  const auto modern = load_tokenizer(models / "nllb", {"deu_Latn", "eng_Latn"});
  CHECK(tokenizer->source_frame().prefix.empty());
  CHECK(tokenizer->source_frame().suffix ==
        std::vector<TokenId>{2, modern->source_frame().prefix.at(0)});
  CHECK(tokenizer->forced_target_tokens() == modern->forced_target_tokens());
}

TEST_CASE("NLLB: damaged directories are refused by file and key", "[text]") {
  const NllbFolder folder;
  const auto refused = [&](const char* file, const char* reason) {
    CHECK_THROWS_AS(folder.load(), core::InputError);
    CHECK_THROWS_WITH(folder.load(), Contains(file) && Contains(reason));
  };
  folder.write(nllb_config_file, R"({"legacy_behaviour": "no"})");
  refused(nllb_config_file, "'legacy_behaviour' must be true or false");
  folder.write(nllb_config_file, R"({"added_tokens_decoder": {"2": "deu_Latn"}})");
  refused(nllb_config_file, "'deu_Latn' cannot have the id 2");
  folder.write(nllb_config_file, R"({"added_tokens_decoder": {"x": "deu_Latn"}})");
  refused(nllb_config_file, "'deu_Latn' cannot have the id -1");
  folder.write(nllb_config_file, "{}");
  folder.write(map_file, R"({"additional_special_tokens": [3]})");
  refused(map_file, "'additional_special_tokens' must be a token");
  std::filesystem::remove(folder / "sentencepiece.bpe.model");
  refused("sentencepiece.bpe.model", "cannot be opened");
}

}  // namespace knnseq::text
