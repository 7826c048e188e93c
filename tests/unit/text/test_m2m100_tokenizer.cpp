#include "core/error.hpp"
#include "support/temporary_folder.hpp"
#include "tokenization.hpp"

namespace knnseq::text {

namespace {

using Catch::Contains;
using core::TokenId;
using testing::models;

struct M2M100Folder : test::TemporaryFolder {
  M2M100Folder() { testing::copy_tokenizer(models / "m2m100", path()); }
};

constexpr const char* m2m100_config_file = "tokenizer_config.json";

}  // namespace

TEST_CASE("M2M100: ids and text are those of transformers", "[text]") {
  testing::check_tokenization(models / "m2m100");
}

TEST_CASE("M2M100: special tokens and the model's vocabulary", "[text]") {
  const auto tokenizer = load_tokenizer(models / "m2m100", {"de", "zu"});
  CHECK(tokenizer->eos() == 2);
  CHECK(tokenizer->pad() == 1);
  CHECK(tokenizer->unk() == 3);
  const TokenId last = tokenizer->forced_target_tokens().at(0);
  CHECK(tokenizer->vocab_size() == last + 1 + 8);  // made-up words
  CHECK(tokenizer->decode_target(std::vector<TokenId>{last + 1, last + 8}).empty());
  CHECK_THROWS_AS(tokenizer->decode_target(std::vector<TokenId>{last + 9}), std::logic_error);
  for (const TokenId id : {0, 1, 2, static_cast<int>(last), static_cast<int>(last) + 1}) {
    CHECK(tokenizer->is_special(id));
  }
  CHECK_FALSE(tokenizer->is_special(3));
  CHECK_FALSE(tokenizer->is_special(4));
  CHECK(tokenizer_files(models / "m2m100").size() == 5);
}

TEST_CASE("M2M100: both languages must be given and known", "[text]") {
  const auto refused = [](const Languages& languages, const char* key, const char* reason) {
    CHECK_THROWS_AS(load_tokenizer(models / "m2m100", languages), core::InputError);
    CHECK_THROWS_WITH(load_tokenizer(models / "m2m100", languages),
                      Contains(key) && Contains(reason));
  };
  refused({}, "source_lang", "is needed");
  refused({"de", ""}, "target_lang", "zu");
  refused({"deu", "en"}, "source_lang", "does not know 'deu'; similar ones it knows: de");
  refused({"de", "??"}, "target_lang", "it knows: af, am");
}

TEST_CASE("M2M100: other languages, cleaned spaces, what is not supported", "[text]") {
  const M2M100Folder folder;
  const auto refused = [&](const char* file, const char* content, const char* reason) {
    folder.write(file, content);
    INFO(content);
    CHECK_THROWS_AS(load_tokenizer(folder.path(), {"de", "en"}), core::InputError);
    CHECK_THROWS_WITH(load_tokenizer(folder.path(), {"de", "en"}),
                      Contains(file) && Contains(reason));
  };
  refused(m2m100_config_file, R"({"tokenizer_class": "SMALL100Tokenizer"})",
          "'SMALL100Tokenizer' is not supported");
  refused(m2m100_config_file, R"({"language_codes": "iwslt"})", "'iwslt' is not supported");
  refused(m2m100_config_file, R"({"eos_token": "<end>"})", "'eos_token' must be '</s>'");
  refused(m2m100_config_file, R"({"sp_model_kwargs": {"nbest_size": -1}})", "sp_model_kwargs");
  folder.write(m2m100_config_file, R"({"language_codes": "wmt21"})");
  refused("special_tokens_map.json", R"({"additional_special_tokens": ["__af__"]})",
          "adds the token '__af__'");

  std::filesystem::remove(folder / "special_tokens_map.json");
  const auto size = core::read_json(folder / "vocab.json").size();
  CHECK(load_tokenizer(folder.path(), {"en", "de"})->forced_target_tokens() ==
        std::vector<TokenId>{static_cast<TokenId>(size + 7)});

  std::filesystem::remove(folder / m2m100_config_file);  // vocab.json tells M2M100 from NLLB
  const auto plain = load_tokenizer(folder.path(), {"de", "en"});
  const auto ids = plain->encode_target("Tom 's here .");
  CHECK(plain->decode_target(ids) == "Tom 's here .");
  folder.write(m2m100_config_file, R"({"clean_up_tokenization_spaces": true})");
  CHECK(load_tokenizer(folder.path(), {"de", "en"})->decode_target(ids) == "Tom's here.");

  // A language added by transformers, which numbers it after the others.
  folder.write(m2m100_config_file, R"({"extra_special_tokens": ["__af__", "__gsw__"]})");
  refused(m2m100_config_file, R"({"extra_special_tokens": ["__af__", "__gsw__"]})",
          "adds the token '__gsw__'");
  const auto added = static_cast<TokenId>(size + 100);
  folder.write("added_tokens.json", core::Json{{"__gsw__", added}}.dump());
  const auto more = load_tokenizer(folder.path(), {"de", "gsw"});
  CHECK(more->forced_target_tokens() == std::vector<TokenId>{added});
  CHECK(more->encode_source("__gsw__") == std::vector<TokenId>{added});
  CHECK(ids_without_token(*more, more->vocab_size()).size() == 7);  // made-up words that are left
  folder.write(m2m100_config_file, "{}");
  refused("added_tokens.json", R"({"word": 300})", "adds the token 'word'");
  std::filesystem::remove(folder / "added_tokens.json");

  refused("config.json", R"({"model_type": "m2m_100", "vocab_size": 200})", "'vocab_size'");
  refused("config.json", R"({"model_type": "nllb-moe"})", "'nllb-moe'");
  folder.write("config.json", R"({"model_type": "m2m_100", "vocab_size": 300})");
  refused("vocab.json", R"({"<s>": 0, "</s>": 1})", "the token 1 must be '<pad>'");
}

}  // namespace knnseq::text
