// What a model's tokens become: bytes, line breaks, languages, ids that are nobody's.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/utf8_repair.hpp"
#include "support/temporary_folder.hpp"
#include "text/output_line.hpp"
#include "tokenization.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;
using Ids = std::vector<core::TokenId>;
using test::TemporaryFolder;

const fs::path demo = fs::path(KNNSEQ_SOURCE_DIR) / "models/demo-de-en";

/// The ids of pieces in a vocab.json.
Ids ids_in(const core::Json& vocabulary, const std::vector<std::string>& pieces) {
  Ids ids;
  for (const std::string& piece : pieces) ids.push_back(vocabulary.at(piece));
  return ids;
}

void copy_files(const fs::path& from, const fs::path& to, std::vector<std::string> names) {
  for (const std::string& name : names) fs::copy_file(from / name, to / name);
}

/// "€" in bytes, the first byte of another, and a line break.
const std::vector<std::string> bytes{"<0xE2>", "<0x82>", "<0xAC>", "<0xE2>", "<0x0A>"};
const std::string spelled = "€\uFFFD\n";

}  // namespace

TEST_CASE("bytes that are not UTF-8 are replaced one by one", "[text]") {
  CHECK(core::replace_invalid_utf8("") == "");
  CHECK(core::replace_invalid_utf8("a€😀") == "a€😀");
  CHECK(core::replace_invalid_utf8("\xE2\x82") == "\uFFFD\uFFFD");
  CHECK(core::replace_invalid_utf8("a\xE2\x82\xAC\x82z\xFF") == "a€\uFFFDz\uFFFD");
  CHECK(core::replace_invalid_utf8("\xED\xA0\x80\xC0\xAF") == "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
}

TEST_CASE("output is one line of text", "[text]") {
  for (const std::string text :
       {"", "Das ist ein Haus.", " two  spaces\t", "€ 😀 \u00A0 \u200B \x7F \x1B"}) {
    CHECK(output_line(text) == text);
  }
  // What Python's str.splitlines() splits at, and NUL.
  for (const std::string text :
       {"\n", "\r", "\v", "\f", "\x1C", "\x1D", "\x1E", "\u0085", "\u2028", "\u2029"}) {
    CHECK(output_line("a" + text + "b") == "a b");
  }
  CHECK(output_line(std::string("a\0\r\nb", 5)) == "a   b");
  CHECK(output_line("a\x85\n\xE2") == "a\uFFFD \uFFFD");
}

TEST_CASE("byte pieces are spelled: Marian", "[text]") {
  const auto whole = load_tokenizer(demo);
  const core::Json vocabulary = core::read_json(demo / "vocab.json");
  auto pieces = bytes;
  pieces.insert(pieces.begin(), "\u2581Haus");
  pieces.push_back("\u2581ein");
  CHECK(whole->decode_target(ids_in(vocabulary, pieces)) == "Haus" + spelled + " ein");
  CHECK(whole->decode_target(ids_in(vocabulary, {"<0x00>", "\u2581ein"})) ==
        std::string("\0 ein", 5));

  // Bytes of the dictionary, which the SentencePiece model does not have.
  const TemporaryFolder folder;
  const fs::path small = testing::models / "marian-sharded";
  copy_files(small, folder.path(),
             {"config.json", "source.spm", "target.spm", "tokenizer_config.json"});
  core::Json with_bytes = core::read_json(small / "vocab.json");
  for (const std::string piece : {"<0xE2>", "<0x82>", "<0xAC>", "<0x0A>"})
    with_bytes[piece] = with_bytes.size();
  folder.write("vocab.json", with_bytes.dump());
  const auto dictionary = load_tokenizer(folder.path());
  pieces = bytes;
  pieces.insert(pieces.begin(), "\u2581in");
  pieces.push_back("s");
  CHECK(dictionary->decode_target(ids_in(with_bytes, pieces)) == "in" + spelled + "s");
}

TEST_CASE("byte pieces are spelled: fairseq", "[text]") {
  const TemporaryFolder folder;
  folder.write("config.json", R"({"model_type": "fairseq_transformer"})");
  std::string dictionary = "\u2581Das 9\n\u2581ist 8\n";
  for (const std::string& piece : bytes) {
    if (dictionary.find(piece) == std::string::npos) dictionary += piece + " 1\n";
  }
  dictionary += "<0x98> 1\n<0x83> 1\n";
  for (const std::string side : {"source", "target"}) {
    folder.write("dict." + side + ".txt", dictionary);
    fs::copy_file(demo / (side + ".spm"), folder / (side + ".spm"));
  }
  folder.write("fairseq_tokenizer.json", R"({"segmentation": "sentencepiece"})");
  const auto tokenizer = load_tokenizer(folder.path());
  const Ids ids{4, 6, 7, 8, 6, 9, 5};  // bytes 6, 7, 8 are "€"
  CHECK(tokenizer->decode_target(ids) == "Das" + spelled + " ist");
  CHECK(tokenizer->encode_target("Das\u2603") == Ids{4, 6, 10, 11});  // no piece: its bytes
  // Text that comes segmented is the user's own.
  folder.write("fairseq_tokenizer.json", R"({"segmentation": "none"})");
  CHECK(load_tokenizer(folder.path())->decode_target(Ids{6, 7}) == "<0xE2> <0x82>");
}

TEST_CASE("byte pieces are spelled: M2M100", "[text]") {
  const TemporaryFolder folder;
  testing::copy_tokenizer(testing::models / "m2m100", folder.path());
  core::Json vocabulary = core::read_json(folder / "vocab.json");
  for (const std::string piece : {"<0xE2>", "<0x82>", "<0xAC>", "<0x0A>"})
    vocabulary[piece] = vocabulary.size();
  folder.write("vocab.json", vocabulary.dump());
  folder.write("config.json", R"({"model_type": "m2m_100", "vocab_size": 300})");
  const auto tokenizer = load_tokenizer(folder.path(), {"de", "en"});
  auto pieces = bytes;
  pieces.push_back("s");
  CHECK(tokenizer->decode_target(ids_in(vocabulary, pieces)) == spelled + "s");
}

TEST_CASE("ids that are nobody's", "[text]") {
  const auto none = load_tokenizer(demo);
  CHECK(ids_without_token(*none, 8000).empty());
  CHECK(ids_without_token(*none, 8003) == Ids{8000, 8001, 8002});

  const TemporaryFolder folder;
  copy_files(demo, folder.path(), {"config.json", "source.spm", "target.spm"});
  core::Json vocabulary = core::read_json(demo / "vocab.json");
  const Ids gone = ids_in(vocabulary, {"<0x00>", "\u2581Haus"});
  vocabulary.erase("<0x00>");
  vocabulary.erase("\u2581Haus");
  folder.write("vocab.json", vocabulary.dump());
  const auto holes = load_tokenizer(folder.path());
  CHECK(holes->vocab_size() == 8000);
  Ids expected = gone;
  std::ranges::sort(expected);
  expected.push_back(8000);
  CHECK(ids_without_token(*holes, 8001) == expected);
  CHECK_THROWS_AS(holes->decode_target(gone), std::logic_error);
  const auto encoded = holes->encode_source("Das ist ein Haus.");
  CHECK(std::ranges::none_of(encoded, [&](auto id) { return std::ranges::count(gone, id) > 0; }));

  const auto m2m100 = load_tokenizer(testing::models / "m2m100", {"de", "zu"});
  const auto last = m2m100->forced_target_tokens().at(0);
  CHECK(ids_without_token(*m2m100, m2m100->vocab_size()).size() == 8);  // made-up words
  CHECK(ids_without_token(*m2m100, m2m100->vocab_size()).front() == last + 1);
}

TEST_CASE("Marian models of several target languages", "[text]") {
  const TemporaryFolder folder;
  copy_files(demo, folder.path(), {"config.json", "source.spm", "target.spm"});
  core::Json vocabulary = core::read_json(demo / "vocab.json");
  vocabulary[">>fra<<"] = 8000;
  folder.write("vocab.json", vocabulary.dump());
  CHECK(load_tokenizer(folder.path())->languages_left_open().empty());  // one: nothing to choose
  vocabulary[">>spa<<"] = 8001;
  vocabulary[">> <<"] = 8002;  // no language
  folder.write("vocab.json", vocabulary.dump());
  const auto open = load_tokenizer(folder.path());
  CHECK(open->languages_left_open() == std::vector<std::string>{"fra", "spa"});
  CHECK(open->chooses_language(open->encode_source(">>spa<< Das ist ein Haus.")));
  CHECK_FALSE(open->chooses_language(open->encode_source("Das ist ein Haus.")));
  CHECK_FALSE(open->chooses_language(open->encode_source(">>ita<< Das ist ein Haus.")));
  CHECK_FALSE(open->chooses_language({}));
  CHECK(load_tokenizer(folder.path(), {"", "spa"})->languages_left_open().empty());

  // A language is no text, and no entry of a datastore.
  const auto words = open->encode_target("That is a house.");
  auto tokens = words;
  tokens.insert(tokens.begin() + 2, 8001);
  CHECK(open->decode_target(tokens) == "That is a house.");
  CHECK(open->is_special(8001));
  CHECK_FALSE(open->is_special(8002));
}

}  // namespace knnseq::text
