#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "support/temporary_folder.hpp"
#include "text/tokenizers/tokenizer.hpp"

using namespace knnseq;
using Catch::Contains;
using core::TokenId;

namespace {

namespace fs = std::filesystem;
using Ids = std::vector<TokenId>;

/// A model directory as scripts/import_fairseq.py makes it.
struct ModelFolder : test::TemporaryFolder {
  explicit ModelFolder(const std::string& segmentation) {
    write("config.json", R"({"model_type": "fairseq_transformer"})");
    write("fairseq_tokenizer.json", R"({"segmentation": ")" + segmentation + "\"}");
    write("dict.source.txt", "das 9\nist 8\nein 7\nHaus 6\nHä@@ 5\nuser 4\n@@ 3\n");
    write("dict.target.txt", "a 9\nhouse 8\n");
    if (segmentation == "bpe") {
      write("source.codes",
            "d a 9\nda s</w> 8\ni s 7\nis t</w> 6\nH ä 5\nu s 4\nus e 3\nuse r</w> 2\n");
      write("target.codes", "#version: 0.2\nh o\nho u\nhou s\nhous e</w>\n");
    }
  }
  std::unique_ptr<text::Tokenizer> load() const { return text::load_tokenizer(path()); }
};

void check_refused(const ModelFolder& folder, const std::string& file, const std::string& reason) {
  INFO(file << ": " << reason);
  CHECK_THROWS_AS(folder.load(), core::InputError);
  CHECK_THROWS_WITH(folder.load(), Contains((folder / file).string()) && Contains(reason));
}

}  // namespace

TEST_CASE("segmented text is split at white space and looked up") {
  const ModelFolder folder("none");
  const auto tokenizer = folder.load();
  CHECK(tokenizer->vocab_size() == 6);
  CHECK(tokenizer->source_vocab_size() == 11);
  CHECK(tokenizer->eos() == 2);
  CHECK(tokenizer->unk() == 3);
  CHECK(tokenizer->pad() == 1);
  CHECK(tokenizer->source_frame().prefix.empty());
  CHECK(tokenizer->source_frame().suffix == Ids{2});
  CHECK(tokenizer->forced_target_tokens().empty());

  const Ids ids{4, 5, 6, 7, 8, 9};
  CHECK(tokenizer->encode_source("das ist ein Haus Hä@@ user") == ids);
  CHECK(tokenizer->encode_source(" das\tist\u00a0ein \u3000Haus\u2028Hä@@ user\u001f") == ids);
  CHECK(tokenizer->encode_source("das Das <s> <pad> </s> <unk> x") == Ids{4, 3, 0, 1, 2, 3, 3});
  CHECK(tokenizer->encode_source("").empty());
  CHECK(tokenizer->encode_source(" \t ").empty());
  CHECK(tokenizer->encode_target("a house ist") == Ids{4, 5, 3});

  CHECK(tokenizer->decode_source(ids) == "das ist ein Haus Hä@@ user");
  CHECK(tokenizer->decode_target(Ids{0, 4, 3, 5, 2, 1}) == "a <unk> house");
  CHECK(tokenizer->decode_target({}).empty());
  CHECK_THROWS_AS(tokenizer->decode_target(Ids{6}), std::logic_error);
}

TEST_CASE("BPE codes of either kind") {
  const ModelFolder folder("bpe");
  const auto tokenizer = folder.load();
  CHECK(tokenizer->encode_source("das ist  Häuser") == Ids{4, 5, 8, 9});
  CHECK(tokenizer->encode_target("a house") == Ids{4, 5});
  CHECK(tokenizer->encode_target("</s>") == Ids{3, 3, 3, 3});  // cut into pieces, so not itself
  // White space other than " " is part of a word, and splits its pieces: "das" "\t@@" "user".
  CHECK(tokenizer->encode_source("Hä\tuser") == Ids{8, 10, 9});

  CHECK(tokenizer->decode_source(Ids{4, 5, 8, 9, 2}) == "das ist Häuser");
  CHECK(tokenizer->decode_source(Ids{8, 3, 8}) == "Hä<unk> Hä");
  CHECK(tokenizer->decode_source(Ids{4, 10, 5, 10}) == "das ist");
  CHECK(text::tokenizer_files(folder.path()) ==
        std::vector<fs::path>{folder / "fairseq_tokenizer.json", folder / "dict.source.txt",
                              folder / "dict.target.txt", folder / "source.codes",
                              folder / "target.codes"});
}

TEST_CASE("SentencePiece models") {
  const fs::path demo = fs::path(KNNSEQ_SOURCE_DIR) / "models/demo-de-en";
  const ModelFolder folder("sentencepiece");
  fs::copy_file(demo / "source.spm", folder / "source.spm");
  fs::copy_file(demo / "target.spm", folder / "target.spm");
  folder.write("dict.source.txt", "\u2581Das 9\n\u2581ist 8\n\u2581ein 7\n\u2581Haus 6\n. 5\n");
  folder.write("dict.target.txt", "\u2581That 9\n\u2581is 8\n. 7\n");
  const auto tokenizer = folder.load();
  CHECK(tokenizer->encode_source("Das ist ein Haus.") == Ids{4, 5, 6, 7, 8});
  CHECK(tokenizer->encode_target("That  is.") == Ids{4, 5, 6});
  CHECK(tokenizer->decode_source(Ids{4, 5, 6, 7, 8, 2}) == "Das ist ein Haus.");
  CHECK(tokenizer->decode_target(Ids{4, 3, 6, 1}) == "That<unk>.");
  CHECK(text::tokenizer_files(folder.path()).size() == 5);
}

TEST_CASE("fairseq directories that miss or spoil something are refused") {
  for (const char* name : {"fairseq_tokenizer.json", "dict.source.txt", "dict.target.txt",
                           "source.codes", "target.codes"}) {
    const ModelFolder folder("bpe");
    fs::remove(folder / name);
    check_refused(folder, name, "cannot be opened");
  }
  const ModelFolder folder("bpe");
  folder.write("target.codes", "a b\nc\n");
  check_refused(folder, "target.codes:2", "must be two symbols");
  folder.write("dict.target.txt", "a\n");
  check_refused(folder, "dict.target.txt:1", "must be a symbol");
  for (const char* settings : {"[]", "{}", R"({"segmentation": 1})", R"({"segmentation": "x"})"}) {
    folder.write("fairseq_tokenizer.json", settings);
    check_refused(folder, "fairseq_tokenizer.json", "'segmentation' must be");
  }
}

TEST_CASE("fairseq models take no languages") {
  const ModelFolder folder("none");
  CHECK_THROWS_WITH(text::load_tokenizer(folder.path(), {"de", ""}), Contains("source_lang: "));
  CHECK_THROWS_WITH(text::load_tokenizer(folder.path(), {"", "en"}), Contains("target_lang: "));
}
