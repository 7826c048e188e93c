#include "stages/shared/inputs/manifests.hpp"

#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/agreement.hpp"
#include "core/entry_id.hpp"
#include "runtime/shard_team.hpp"

namespace knnseq::stages {

namespace {

using core::JsonField;

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t most_entries = core::max_entry_number + 1;
constexpr std::int64_t most_tokens = core::max_id_token + 1;
constexpr std::int64_t most_layers = 1 << 16;
constexpr std::int64_t most_width = 1 << 20;
constexpr std::int64_t most_lists = std::numeric_limits<std::int32_t>::max();

/// A field that is one of an enum's names.
template <class Enum>
Enum named(const JsonField& field) {
  if (const auto value = core::value_named<Enum>(field.text())) return *value;
  field.refuse(fmt::format("must be one of: {}", fmt::join(core::all_names<Enum>(), ", ")));
}

SampleSpec sample_from(const JsonField& sample) {
  SampleSpec spec;
  spec.size = sample.at("size").number(0, most_entries);
  spec.seed = static_cast<std::uint64_t>(sample.at("seed").number(0, most));
  spec.unit = named<SampleUnit>(sample.at("unit"));
  return spec;
}

/// Keys or sentence vectors: whichever a step was made from.
std::string vectors_from(const JsonField& inputs) {
  return inputs.at(inputs.has("vectors") ? "vectors" : "datastore").text();
}

}  // namespace

const core::Json& CorpusManifest::of_shard(std::int64_t shard) const {
  return of_shards.at(runtime::shard_name(shard));
}

core::Json CorpusManifest::content() const {
  return {{"sentences", sentences}, {"entries", entries}, {"shards", of_shards}};
}

CorpusManifest CorpusManifest::from_json(const store::Manifest& manifest) {
  const auto inputs = manifest.input_fields();
  const auto content = manifest.content_fields();
  inputs.at("tokenizer");
  const auto shards = inputs.at("shards").number(1, most_tokens);
  const auto all = content.at("shards");
  std::int64_t sentences = 0;
  std::int64_t entries = 0;
  for (std::int64_t shard = 0; shard < shards; ++shard) {
    const auto of_shard = all.at(runtime::shard_name(shard));
    sentences += of_shard.at("sentences").number(0, most_entries - sentences);
    entries += of_shard.at("entries").number(0, most_entries - entries);
  }
  if (std::ssize(all.members()) != shards) all.refuse("names other shards than there are");
  content.at("sentences").number(sentences, sentences);
  content.at("entries").number(entries, entries);
  std::int64_t lines = sentences;
  for (const auto& [reason, count] : content.at("dropped").members()) {
    lines += count.number(0, most_entries - lines);
  }
  return {
      manifest.identity,          manifest.inputs["tokenizer"], shards, lines, sentences, entries,
      manifest.content["shards"], inputs.has("imported")};
}

core::Json KeyInputs::to_json() const {
  core::Json inputs = {{"corpus", corpus},
                       {"model", model},
                       {"dtype", dtype},
                       {"device", device},
                       {"threads", threads},
                       {"unit_entries", unit_entries},
                       {"key", core::name_of(key)},
                       {"layer", layer},
                       {"store", core::name_of(store)},
                       {"sentence_keys", sentence_keys}};
  // Absent where they are what datastores had that are older than the keys of the config.
  if (log_probs) inputs["log_probs"] = true;
  if (keys != KeyType::fp16) inputs["keys"] = core::name_of(keys);
  return inputs;
}

KeyInputs KeyInputs::from_json(const JsonField& inputs) {
  KeyInputs made_from;
  made_from.corpus = inputs.at("corpus").text();
  made_from.model = inputs.at("model").as<core::Json>();
  made_from.dtype = inputs.at("dtype").text();
  made_from.device = inputs.at("device").text();
  made_from.threads = inputs.at("threads").number(1, most);
  made_from.unit_entries = inputs.at("unit_entries").number(1, most);
  made_from.key = named<model::KeyKind>(inputs.at("key"));
  made_from.layer = inputs.at("layer").number(0, most_layers);
  made_from.store = named<KeyStore>(inputs.at("store"));
  made_from.sentence_keys = inputs.at("sentence_keys").flag();
  if (inputs.has("keys")) made_from.keys = named<KeyType>(inputs.at("keys"));
  made_from.log_probs = inputs.has("log_probs") && inputs.at("log_probs").flag();
  return made_from;
}

core::Json KeyFacts::to_json() const {
  return {{"width", width},
          {"decoder_layers", decoder_layers},
          {"vocab_size", vocab_size},
          {"entries", entries},
          {"aside", {{"sample", sample.to_json()}}}};
}

KeyFacts KeyFacts::from_json(const JsonField& content) {
  return {content.at("width").number(1, most_width),
          content.at("decoder_layers").number(1, most_layers),
          content.at("vocab_size").number(1, most_tokens),
          content.at("entries").number(0, most_entries),
          sample_from(content.at("aside").at("sample"))};
}

DatastoreManifest DatastoreManifest::from_json(const store::Manifest& manifest) {
  std::vector<std::string> before;
  const auto content = manifest.content_fields();
  if (content.has("before_removals")) {
    for (const auto& identity : content.at("before_removals").elements()) {
      before.push_back(identity.text());
    }
  }
  const auto inputs = manifest.input_fields();
  std::optional<std::int64_t> encoder_width;
  if (inputs.has("imported") && inputs.at("imported").has("encoder_width")) {
    encoder_width = inputs.at("imported").at("encoder_width").number(1, most_width);
  }
  return {manifest.identity, std::move(before), KeyInputs::from_json(inputs),
          KeyFacts::from_json(content), encoder_width};
}

core::Json CodebookFacts::to_json() const { return {{"factory", factory}, {"lists", lists}}; }

CodebookFacts CodebookFacts::from_json(const JsonField& content) {
  return {content.at("factory").text(), content.at("lists").number(0, most_lists)};
}

CodebookManifest CodebookManifest::from_json(const store::Manifest& manifest) {
  return {manifest.identity, vectors_from(manifest.input_fields()),
          CodebookFacts::from_json(manifest.content_fields())};
}

CodesManifest CodesManifest::from_json(const store::Manifest& manifest) {
  const auto inputs = manifest.input_fields();
  return {manifest.identity, vectors_from(inputs), inputs.at("codebook").text()};
}

IndexManifest IndexManifest::from_json(const store::Manifest& manifest) {
  return {CodesManifest::from_json(manifest),
          manifest.input_fields().at("first_entry").number(0, most_entries),
          manifest.content_fields().at("entries").number(0, most_entries)};
}

PrunedManifest PrunedManifest::from_json(const store::Manifest& manifest) {
  const auto inputs = manifest.input_fields();
  const auto content = manifest.content_fields();
  PrunedManifest pruned;
  pruned.identity = manifest.identity;
  pruned.index = inputs.at("index").text();
  if (inputs.has("probability")) pruned.probability = inputs.at("probability").finite();
  if (inputs.has("distance")) {
    pruned.distance = inputs.at("distance").finite();
    pruned.neighbours = inputs.at("neighbours").number(1, most);
  }
  pruned.spread = content.at("spread").finite();
  pruned.entries = content.at("entries").number(0, most_entries);
  return pruned;
}

SentencesManifest SentencesManifest::from_json(const store::Manifest& manifest) {
  const auto inputs = manifest.input_fields();
  return {manifest.identity, inputs.at("corpus").text(), inputs.at("model").as<core::Json>()};
}

core::Json FitManifest::to_json() const {
  return {{"quantisation_error", quantisation_error},
          {"rows", rows},
          {"training_error", training_error},
          {"training_rows", training_rows}};
}

FitManifest FitManifest::from_json(const store::Manifest& manifest) {
  const auto content = manifest.content_fields();
  return {content.at("quantisation_error").finite(), content.at("rows").number(0, most_entries),
          content.at("training_error").finite(),
          content.at("training_rows").number(0, most_entries)};
}

namespace {

/// What no later stage builds on: it is only told.
void read_machine(const JsonField& inputs, DecodingManifest& decoding) {
  if (inputs.has("beam")) decoding.beam = inputs.at("beam").number(1, most);
  if (inputs.has("max_length_a")) decoding.max_length_a = inputs.at("max_length_a").finite();
  if (inputs.has("max_length_b")) decoding.max_length_b = inputs.at("max_length_b").number(0, most);
  if (inputs.has("dtype")) decoding.dtype = inputs.at("dtype").text();
  if (inputs.has("device")) decoding.device = inputs.at("device").text();
  if (inputs.has("threads")) decoding.threads = inputs.at("threads").number(1, most);
}

}  // namespace

DecodingManifest DecodingManifest::from_json(const store::Manifest& manifest) {
  const auto inputs = manifest.input_fields();
  const auto content = manifest.content_fields();
  DecodingManifest decoding;
  decoding.identity = manifest.identity;
  decoding.length_penalty = inputs.at("length_penalty").finite();
  read_machine(inputs, decoding);
  if (content.has("cut")) decoding.cut = content.at("cut").number(0, most);
  const bool in_subsets = inputs.has("mode");
  if (in_subsets && inputs.at("mode").text() == "memory") {
    decoding.memory = inputs.at("encoder").text();
  }
  const bool has_policy = inputs.has("policy");
  if (!inputs.has("k") && !inputs.has("temperature") && !has_policy) return decoding;
  auto& knn = decoding.knn.emplace();
  knn.k = inputs.at("k").number(1, most);
  if (has_policy) knn.policy = inputs.at("policy").text();
  if (!has_policy || inputs.has("tau")) knn.temperature = inputs.at("temperature").finite();
  if (!has_policy) knn.lambda = inputs.at("lambda").finite();
  if (inputs.has("tau")) knn.tau = inputs.at("tau").finite();
  if (in_subsets) {
    knn.subset = {inputs.at("encoder").text(), inputs.at("sentences").number(1, most)};
  } else {
    knn.nprobe = inputs.at("nprobe").number(0, most);
    if (inputs.has("probing")) knn.probing = inputs.at("probing").text();
    if (inputs.has("backend")) knn.backend = inputs.at("backend").text();
    if (inputs.has("ef_search")) knn.ef_search = inputs.at("ef_search").number(0, most);
  }
  if (inputs.has("skip")) knn.skip = inputs.at("skip").finite();
  if (content.has("aside") && content.at("aside").has("indexes")) {
    for (const auto& index : content.at("aside").at("indexes").elements()) {
      knn.indexes.push_back(index.text());
    }
  }
  return decoding;
}

store::Manifest read_on_root(runtime::StageContext& context, const StageRef& step,
                             void (*check)(const store::Manifest&)) {
  core::Json json;
  comm::on_root(context.comm, [&] {
    const auto manifest = runtime::require_manifest(step.folder, step.stage, step.command);
    check(manifest);
    json = store::to_json(manifest);
  });
  return store::manifest_from(core::Json::parse(context.comm.broadcast_string(json.dump())));
}

}  // namespace knnseq::stages
