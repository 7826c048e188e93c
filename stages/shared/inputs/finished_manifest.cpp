#include "stages/shared/inputs/finished_manifest.hpp"

#include <limits>

#include "core/entry_id.hpp"
#include "core/json_field.hpp"
#include "runtime/shard_team.hpp"
#include "runtime/stage_runner.hpp"

namespace knnseq::stages {

namespace {

using core::JsonField;

constexpr std::int64_t most_entries = core::max_entry_number + 1;
constexpr std::int64_t most_tokens = core::max_id_token + 1;
constexpr std::int64_t most_layers = 1 << 16;
constexpr std::int64_t most_width = 1 << 20;
constexpr std::int64_t most_lists = std::numeric_limits<std::int32_t>::max();

void check_partition(const JsonField& inputs, const JsonField& content) {
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
}

void check_encode(const JsonField& inputs, const JsonField& content) {
  inputs.at("corpus").text();
  inputs.at("model");
  inputs.at("key").text();
  inputs.at("layer").number(0, most_layers);
  inputs.at("store").text();
  inputs.at("sentence_keys").flag();
  content.at("width").number(1, most_width);
  content.at("decoder_layers").number(1, most_layers);
  content.at("vocab_size").number(1, most_tokens);
  content.at("entries").number(0, most_entries);
  const auto sample = content.at("aside").at("sample");
  sample.at("size").number(0, most_entries);
  sample.at("seed").number(0, std::numeric_limits<std::int64_t>::max());
  sample.at("unit").text();
}

/// `source`: what the codebook was trained on.
void check_codebook(const JsonField& inputs, const JsonField& content, const char* source) {
  inputs.at(source).text();
  content.at("factory").text();
  content.at("lists").number(0, most_lists);
}

void check_coded(const JsonField& inputs, const char* source) {
  inputs.at(source).text();
  inputs.at("codebook").text();
}

/// The step that a stage is, without the name of an appended corpus.
std::string step_of(const std::string& stage) {
  return stage.starts_with("append-") ? stage.substr(stage.rfind('-') + 1) : stage;
}

}  // namespace

core::Json finished_manifest(const std::filesystem::path& folder, const std::string& stage,
                             const std::string& command) {
  core::Json manifest = runtime::require_manifest(folder, stage, command);
  const auto path = folder / "manifest.json";
  const JsonField inputs(path, manifest["inputs"], "inputs");
  const JsonField content(path, manifest["content"], "content");
  const std::string step = step_of(stage);
  if (step == "partition") check_partition(inputs, content);
  if (step == "encode") check_encode(inputs, content);
  if (step == "train" || step == "subset-train-codes") {
    check_codebook(inputs, content, "datastore");
  }
  if (step == "subset-train-sentences") check_codebook(inputs, content, "vectors");
  if (step == "subset-index-sentences") check_coded(inputs, "vectors");
  if (step == "subset-encode-sentences") inputs.at("model");
  if (step == "subset-code") check_coded(inputs, "datastore");
  if (step == "add") {
    check_coded(inputs, "datastore");
    inputs.at("first_entry").number(0, most_entries);
    content.at("entries").number(0, most_entries);
  }
  if (step == "measure") {
    content.at("quantisation_error").finite();
    content.at("training_error").finite();
  }
  return manifest;
}

}  // namespace knnseq::stages
