// Manifests with a valid checksum that no stage has written.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "stages/shared/inputs/manifests.hpp"
#include "store/manifest.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;

namespace {

using core::Json;

const Json shard = {{"sentences", 2},
                    {"entries", 5},
                    {"source_tokens", 4},
                    {"batches", 1},
                    {"structure", {{"bytes", 100}, {"ranges", Json::array()}}},
                    {"units", Json::array({Json::array()})}};

/// Inputs and content as stages write them: the parts that others read.
const Json good = {
    {"partition",
     {{"inputs", {{"shards", 2}, {"tokenizer", "t"}}},
      {"content",
       {{"sentences", 4},
        {"entries", 10},
        {"dropped", Json::object()},
        {"files", {{"dropped.tsv", {{"bytes", 3}, {"fingerprint", "f"}}}}},
        {"shards", {{"shard-00000", shard}, {"shard-00001", shard}}}}}}},
    {"encode",
     {{"inputs",
       {{"corpus", "c"},
        {"model", "m"},
        {"dtype", "fp32"},
        {"device", "cpu"},
        {"threads", 1},
        {"unit_entries", 32768},
        {"key", "ffn_in"},
        {"layer", 5},
        {"store", "keys"},
        {"sentence_keys", true}}},
      {"content",
       {{"width", 512},
        {"decoder_layers", 6},
        {"vocab_size", 8000},
        {"entries", 10},
        {"aside", {{"sample", {{"size", 10}, {"seed", 1}, {"unit", "entry"}}}}}}}}},
    {"train", {{"inputs", {{"datastore", "d"}}}, {"content", {{"factory", "Flat"}, {"lists", 0}}}}},
    {"add",
     {{"inputs", {{"datastore", "d"}, {"codebook", "c"}, {"first_entry", 0}}},
      {"content", {{"entries", 10}}}}},
    {"append-news-measure",
     {{"inputs", Json::object()},
      {"content",
       {{"quantisation_error", 1.5}, {"rows", 5}, {"training_error", 1}, {"training_rows", 9}}}}},
    {"subset-encode-sentences",
     {{"inputs", {{"corpus", "c"}, {"model", "m"}}}, {"content", Json::object()}}},
    {"subset-code",
     {{"inputs", {{"datastore", "d"}, {"codebook", "c"}}}, {"content", Json::object()}}},
    {"decode-knn",
     {{"inputs",
       {{"length_penalty", 1}, {"k", 8}, {"temperature", 10}, {"lambda", 0.5}, {"nprobe", 32}}},
      {"content", Json::object()}}}};

/// Reads it as the type that later stages read it as.
void read_as_type(const store::Manifest& manifest) {
  using namespace stages;
  const std::string& stage = manifest.stage;
  if (stage == "partition") CorpusManifest::from_json(manifest);
  if (stage == "encode") DatastoreManifest::from_json(manifest);
  if (stage == "train") CodebookManifest::from_json(manifest);
  if (stage == "add") IndexManifest::from_json(manifest);
  if (stage == "append-news-measure") FitManifest::from_json(manifest);
  if (stage == "subset-encode-sentences") SentencesManifest::from_json(manifest);
  if (stage == "subset-code") CodesManifest::from_json(manifest);
  if (stage == "decode-knn") DecodingManifest::from_json(manifest);
}

/// What a manifest is refused for, with one value at a JSON pointer changed (or removed: null).
std::string refusal(const std::string& stage, const std::string& at = "", const Json& value = {}) {
  const test::TemporaryFolder folder;
  Json parts = good.at(stage);
  if (!at.empty() && value.is_null()) {
    const Json::json_pointer pointer(at);
    parts.at(pointer.parent_pointer()).erase(pointer.back());
  } else if (!at.empty()) {
    parts[Json::json_pointer(at)] = value;
  }
  core::write_file_durably(
      folder / "manifest.json",
      store::make_manifest(stage, parts.at("inputs"), parts.at("content")).dump());
  try {
    read_as_type(runtime::require_manifest(folder.path(), stage, "run"));
  } catch (const core::InputError& e) {
    CHECK_THAT(e.what(), Catch::StartsWith((folder / "manifest.json").string() + ": "));
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a field that is missing, of another type or out of range is refused by name") {
  for (const auto& [stage, parts] : good.items()) CHECK(refusal(stage).empty());
  // Everything that is there is needed, and nothing may be an array instead.
  for (const auto& [stage, parts] : good.items()) {
    const Json flat = parts.flatten();
    for (const auto& [pointer, value] : flat.items()) {
      const bool unread = pointer.find("source_tokens") != pointer.npos ||
                          pointer.find("batches") != pointer.npos ||
                          pointer.find("fingerprint") != pointer.npos;
      const auto name = Json::json_pointer(pointer).back();
      INFO(stage << " " << pointer);
      if (!unread && !value.is_null() && name != "0") {
        CHECK_THAT(refusal(stage, pointer), Contains(name));
      }
      const bool any_type =
          name == "tokenizer" || name == "model" || name == "inputs" || name == "content";
      if (!unread && !any_type && name != "0") {
        CHECK_THAT(refusal(stage, pointer, Json::array({1})), Contains(name));
      }
    }
  }
}

TEST_CASE("counts, and names that lead out of the folder, are refused") {
  struct Case {
    const char* stage;
    const char* at;
    Json value;
    const char* message;
  };
  const std::vector<Case> cases = {
      {"partition", "/inputs/shards", -1, "'inputs.shards' is -1"},
      {"partition", "/inputs/shards", std::int64_t{1} << 60,
       "'inputs.shards' is 1152921504606846976"},
      {"partition", "/inputs/shards", 3, "no field 'content.shards.shard-00002'"},
      {"partition", "/inputs/shards", 1, "'content.shards' names other shards"},
      {"partition", "/content/entries", 11, "'content.entries' is 11, not a whole number from 10"},
      {"partition", "/content/sentences", 3, "'content.sentences' is 3"},
      {"partition", "/content/shards/shard-00001/entries", -5, "shard-00001.entries' is -5"},
      {"partition", "/content/shards/shard-00001/entries", UINT64_MAX, "is 18446744073709551615"},
      {"partition", "/content/shards/..", "x", "names '..'"},
      {"partition", "/content/shards/..~1index~1shard-00000", "x", "names '../index/shard-00000'"},
      {"partition", "/content/files/~1etc~1passwd", {{"bytes", 3}}, "names '/etc/passwd'"},
      {"partition", "/content/files/..~1lock", {{"bytes", 3}}, "names '../lock'"},
      {"partition", "/content/files/", {{"bytes", 3}}, "names ''"},
      {"partition", "/content/files/dropped.tsv/bytes", -3, "bytes' is -3"},
      {"partition", "/content/shards/shard-00000/structure/bytes", 1e99,
       "structure.bytes' is 1e+99"},
      {"partition", "/content/shards/shard-00000/units/0", Json::array({1}), "is not an object"},
      {"encode", "/content/width", 0, "'content.width' is 0"},
      {"encode", "/content/width", std::int64_t{1} << 40, "'content.width' is"},
      {"encode", "/content/vocab_size", 1 << 30, "'content.vocab_size' is"},
      {"encode", "/content/vocab_size", 2.5, "'content.vocab_size' is 2.5"},
      {"encode", "/content/aside/sample/size", -1, "sample.size' is -1"},
      {"train", "/content/lists", -1, "'content.lists' is -1"},
      {"add", "/inputs/first_entry", -1, "'inputs.first_entry' is -1"},
      {"add", "/content/entries", std::int64_t{1} << 50, "'content.entries' is"},
      {"append-news-measure", "/content/training_error", "1", "is not a finite number"}};
  for (const auto& [stage, at, value, message] : cases) {
    INFO(stage << " " << at);
    CHECK_THAT(refusal(stage, at, value), Contains(message));
  }
}

TEST_CASE("what a stage writes of itself is read back as the same") {
  using namespace stages;
  const KeyInputs made_from{.corpus = "c",
                            .model = Json::array({"m"}),
                            .dtype = "fp32",
                            .device = "cpu",
                            .threads = 2,
                            .unit_entries = 32768,
                            .key = model::KeyKind::ffn_out,
                            .layer = 5,
                            .store = KeyStore::none,
                            .sentence_keys = false};
  const KeyFacts facts{512, 6, 8000, 10, {7, 3, SampleUnit::batch}};
  const store::Manifest encoded{"m.json", "encode", made_from.to_json(), facts.to_json(), "id"};
  const auto datastore = DatastoreManifest::from_json(encoded);
  CHECK(datastore.identity == "id");
  CHECK(datastore.made_from.to_json() == made_from.to_json());
  CHECK(datastore.keys.to_json() == facts.to_json());
  CHECK_FALSE(datastore.stores_keys());

  const Json& corpus = good.at("partition");
  const auto partitioned = CorpusManifest::from_json(
      {"m.json", "partition", corpus.at("inputs"), corpus.at("content"), "id"});
  const Json content = partitioned.content();
  for (const char* field : {"sentences", "entries", "shards"}) {
    CHECK(content.at(field) == corpus.at("content").at(field));
  }
  CHECK(partitioned.of_shard(1) == shard);
  CHECK(partitioned.lines == 4);
  Json more = corpus.at("content");
  more["dropped"] = {{"empty source", 2}, {"empty target", 1}};
  CHECK(CorpusManifest::from_json({"m.json", "partition", corpus.at("inputs"), more, "id"}).lines ==
        7);

  const Json fit = FitManifest{1.5, 5, 1, 9}.to_json();
  CHECK(FitManifest::from_json({"m.json", "measure", {}, fit, "id"}).to_json() == fit);
  const Json codebook = CodebookFacts{"IVF4,PQ2", 4}.to_json();
  CHECK(CodebookFacts::from_json({"m.json", codebook}).to_json() == codebook);
}

TEST_CASE("a decoding says how it was made") {
  using stages::DecodingManifest;
  const auto read = [](const Json& inputs) {
    return DecodingManifest::from_json({"m.json", "decode-x", inputs, Json::object(), "id"});
  };
  const auto base = read({{"length_penalty", 1.0}});
  CHECK_FALSE(base.knn);
  CHECK_FALSE(base.memory);
  const auto memory = read({{"length_penalty", 1}, {"mode", "memory"}, {"encoder", "bm25"}});
  CHECK(memory.memory == "bm25");
  CHECK_FALSE(memory.knn);
  const auto subset = read({{"length_penalty", 1},
                            {"mode", "subset"},
                            {"encoder", "mean"},
                            {"sentences", 32},
                            {"k", 8},
                            {"temperature", 10},
                            {"lambda", 0.5}});
  REQUIRE(subset.knn);
  CHECK(subset.knn->k == 8);
  CHECK(subset.knn->subset->sentences == 32);
  CHECK_THROWS_WITH(read({{"length_penalty", 1}, {"k", 8}, {"lambda", 0.5}}),
                    Contains("m.json: has no field 'inputs.temperature'"));
}
