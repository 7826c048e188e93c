#include <filesystem>
#include <string>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "support/temporary_folder.hpp"
#include "text/tokenizers/tokenizer.hpp"

using knnseq::test::TemporaryFolder;

using namespace knnseq;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

/// A copy of the demo model's tokeniser files that a test spoils.
struct MarianFolder : TemporaryFolder {
  MarianFolder() {
    const fs::path demo = fs::path(KNNSEQ_SOURCE_DIR) / "models/demo-de-en";
    for (const char* name :
         {"config.json", "source.spm", "target.spm", "vocab.json", "tokenizer_config.json"}) {
      fs::copy_file(demo / name, *this / name);
    }
  }
};

void check_marian_refused(const MarianFolder& folder, const std::string& file,
                          const std::string& reason) {
  INFO(file << ": " << reason);
  CHECK_THROWS_AS(text::load_tokenizer(folder.path()), core::InputError);
  CHECK_THROWS_WITH(text::load_tokenizer(folder.path()),
                    Contains((folder / file).string() + ": ") && Contains(reason));
}

}  // namespace

TEST_CASE("a model directory's missing files are named") {
  for (const char* name : {"config.json", "source.spm", "target.spm", "vocab.json"}) {
    const MarianFolder folder;
    fs::remove(folder / name);
    check_marian_refused(folder, name, "cannot be opened");
  }
  const MarianFolder folder;
  fs::remove(folder / "tokenizer_config.json");  // everything in it has a default
  CHECK(text::load_tokenizer(folder.path())->vocab_size() == 8000);
}

TEST_CASE("the kind of model must be known") {
  const MarianFolder folder;
  folder.write("config.json", R"({"model_type": "bert"})");
  check_marian_refused(folder, "config.json", "supported: marian");
  folder.write("config.json", R"({"model_type": 3})");
  check_marian_refused(folder, "config.json", "model_type");
  CHECK_THROWS_AS(text::tokenizer_files(folder.path()), core::InputError);
}

TEST_CASE("a damaged SentencePiece file is refused") {
  const MarianFolder folder;
  folder.write("target.spm", "not a model");
  check_marian_refused(folder, "target.spm", "is not a SentencePiece model");
  folder.write("target.spm", "");
  check_marian_refused(folder, "target.spm", "is not a SentencePiece model");
}

TEST_CASE("a malformed vocabulary is refused") {
  const MarianFolder folder;
  const auto refused = [&](const char* content, const std::string& reason) {
    folder.write("vocab.json", content);
    check_marian_refused(folder, "vocab.json", reason);
  };
  refused("{", "not valid JSON");
  refused("[]", "must be an object");
  refused("{}", "must be an object");
  refused(R"({"</s>": "0"})", "'</s>' is not an integer");
  refused(R"({"</s>": 0, "<unk>": 1.5})", "'<unk>' is not an integer");
  refused(R"({"</s>": 0, "<unk>": 1, "<pad>": 4194304})", "out of range");
  refused(R"({"</s>": 0, "<unk>": 1, "<pad>": 18446744073709551615})", "out of range");
  refused(R"({"</s>": 0, "<unk>": -1})", "out of range");
  refused(R"({"</s>": 0, "<unk>": 0})", "have the same id 0");
  refused(R"({"a": 0, "<unk>": 1, "<pad>": 2})", "'</s>' is missing");
  refused(R"({"</s>": 0, "a": 1, "<pad>": 2})", "'<unk>' is missing");
  refused(R"({"</s>": 0, "<unk>": 1, "a": 2})", "'<pad>' is missing");
}

TEST_CASE("separate vocabularies must exist and number the special tokens alike") {
  const MarianFolder folder;
  folder.write("tokenizer_config.json", R"({"separate_vocabs": true})");
  check_marian_refused(folder, "target_vocab.json", "cannot be opened");
  folder.write("target_vocab.json", R"({"</s>": 0, "<unk>": 1, "<pad>": 2})");
  check_marian_refused(folder, "target_vocab.json",
                       "'<pad>' has the id 2 here, but 7999 in vocab.json");
  folder.write("tokenizer_config.json", "{}");
  check_marian_refused(folder, "tokenizer_config.json", "must say 'separate_vocabs'");
  folder.write("tokenizer_config.json", R"({"separate_vocabs": false})");
  CHECK(text::load_tokenizer(folder.path())->vocab_size() == 8000);
}

TEST_CASE("settings that would give other tokens are refused, harmless ones are not") {
  const MarianFolder folder;
  const auto refused = [&](const char* content, const std::string& reason) {
    folder.write("tokenizer_config.json", content);
    check_marian_refused(folder, "tokenizer_config.json", reason);
  };
  refused("[]", "must be an object");
  refused(R"({"separate_vocabs": "yes"})", "'separate_vocabs' must be true or false");
  refused(R"({"eos_token": null})", "'eos_token' must be a token");
  refused(R"({"bos_token": "<s>"})", "adds the token '<s>'");
  refused(R"({"additional_special_tokens": ["<eop>"]})", "adds the token '<eop>'");
  refused(R"({"added_tokens_decoder": {"8000": {"content": "<x>"}}})", "adds the token '<x>'");
  refused(R"({"added_tokens_decoder": {"0": {"content": "</s>", "lstrip": true}}})", "'lstrip'");
  refused(R"({"sp_model_kwargs": {"enable_sampling": true}})", "'sp_model_kwargs'");

  folder.write("tokenizer_config.json", R"({"separate_vocabs": null, "sp_model_kwargs": {},
      "eos_token": {"content": "</s>"}, "additional_special_tokens": [], "bos_token": null})");
  folder.write("special_tokens_map.json", R"({"pad_token": "<pad>"})");
  CHECK(text::load_tokenizer(folder.path())->pad() == 7999);
  folder.write("added_tokens.json", R"({"<new>": 8000})");
  check_marian_refused(folder, "added_tokens.json", "adds the token '<new>'");
}
