// What one stage tells the next: the manifests of finished steps as types.
//
// Each type has the fields that later stages read, and nothing else. from_json() throws
// core::InputError naming the file and the field if one is missing, of another type or out of
// range, since a checksum only says that a manifest is as it was written, not that a stage has
// written it. Where a step writes those fields itself they have a to_json(), for
// runtime::StageOutcome::content.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "runtime/stage_context.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/options/corpus_paths.hpp"
#include "store/manifest.hpp"

namespace knnseq::stages {

/// Of partition.
struct CorpusManifest {
  std::string identity;
  core::Json tokenizer;     ///< tokenizer_fingerprint(); an input
  std::int64_t shards = 0;  ///< an input
  std::int64_t lines = 0;   ///< of the text: pairs that were kept and that were dropped
  std::int64_t sentences = 0;
  std::int64_t entries = 0;
  core::Json of_shards;   ///< {"shard-00000": what store::CorpusShard::read() takes, …}
  bool imported = false;  ///< entries without text

  const core::Json& of_shard(std::int64_t shard) const;
  /// The fields that are no inputs, for the step's content.
  core::Json content() const;
  static CorpusManifest from_json(const store::Manifest& manifest);
};

/// What keys are made from: the inputs of encode, and of add if it makes the keys again.
struct KeyInputs {
  std::string corpus;  ///< identity
  core::Json model;    ///< fingerprints of its files
  std::string dtype;
  std::string device;
  std::int64_t threads = 0;
  std::int64_t unit_entries = 0;
  model::KeyKind key = model::KeyKind::ffn_in;
  std::int64_t layer = 0;  ///< from 0
  KeyType keys = KeyType::fp16;
  KeyStore store = KeyStore::keys;
  bool sentence_keys = false;
  bool log_probs = false;

  core::Json to_json() const;
  static KeyInputs from_json(const core::JsonField& inputs);
};

/// What encode says of the keys.
struct KeyFacts {
  std::int64_t width = 0;
  std::int64_t decoder_layers = 0;
  std::int64_t vocab_size = 0;
  std::int64_t entries = 0;
  SampleSpec sample;  ///< whose rows lie aside in the shards

  core::Json to_json() const;
  static KeyFacts from_json(const core::JsonField& content);
};

/// Of encode.
struct DatastoreManifest {
  std::string identity;
  std::vector<std::string> before;  ///< identities that it had before remove took entries out
  KeyInputs made_from;
  KeyFacts keys;
  /// Of the model's encoder, where sentence keys are features that came with imported keys.
  std::optional<std::int64_t> encoder_width = {};

  bool stores_log_probs() const { return made_from.log_probs; }
  bool stores_keys() const { return made_from.store == KeyStore::keys; }
  static DatastoreManifest from_json(const store::Manifest& manifest);
};

/// What training says of a codebook.
struct CodebookFacts {
  std::string factory;
  std::int64_t lists = 0;

  core::Json to_json() const;
  static CodebookFacts from_json(const core::JsonField& content);
};

/// Of train, and of the steps of subset that train a codebook.
struct CodebookManifest {
  std::string identity;
  std::string vectors;  ///< identity of what it was trained on
  CodebookFacts facts;

  static CodebookManifest from_json(const store::Manifest& manifest);
};

/// Of the steps that code vectors: add, and those of subset.
struct CodesManifest {
  std::string identity;
  std::string vectors;   ///< identity of what was coded
  std::string codebook;  ///< identity

  static CodesManifest from_json(const store::Manifest& manifest);
};

/// Of add.
struct IndexManifest {
  CodesManifest codes;
  std::int64_t first_entry = 0;  ///< an input
  std::int64_t entries = 0;

  static IndexManifest from_json(const store::Manifest& manifest);
};

/// Of prune.
struct PrunedManifest {
  std::string identity;
  std::string index;                            ///< identity; an input
  std::optional<double> probability, distance;  ///< as in PruneOptions; inputs
  std::optional<std::int64_t> neighbours;       ///< likewise, with a distance
  double spread = 0;                            ///< what `distance` is a multiple of
  std::int64_t entries = 0;                     ///< that were kept

  static PrunedManifest from_json(const store::Manifest& manifest);
};

/// Of the step of subset that encodes sentences by an encoder of their own.
struct SentencesManifest {
  std::string identity;
  std::string corpus;  ///< identity
  core::Json model;    ///< fingerprint of its file

  static SentencesManifest from_json(const store::Manifest& manifest);
};

/// Of append: how well the codebook fits the corpus.
struct FitManifest {
  double quantisation_error = 0;  ///< mean squared distance of a key from its code
  std::int64_t rows = 0;          ///< that it was measured on
  double training_error = 0;      ///< the same of the first corpus's sample
  std::int64_t training_rows = 0;

  core::Json to_json() const;
  static FitManifest from_json(const store::Manifest& manifest);
};

/// Of a decoding in subsets.
struct SubsetSettings {
  std::string encoder;
  std::int64_t sentences = 0;
};

/// Of a decoding with kNN.
struct KnnSettings {
  std::int64_t k = 0;
  std::string policy = "fixed";
  std::optional<double> temperature, lambda, tau;  ///< those that the policy uses
  std::int64_t nprobe = 0;                         ///< 0 in subsets
  std::string probing, backend;                    ///< empty in subsets
  std::int64_t ef_search = 0;                      ///< 0 in subsets
  double skip = 0;                                 ///< of a gate; 0: there is none
  std::vector<std::string> indexes;                ///< searched ones; none in subsets, or unknown
  std::optional<SubsetSettings> subset;            ///< none: the whole datastore was searched
};

/// Of decode: the settings that a comparison names.
struct DecodingManifest {
  std::string identity;
  std::int64_t beam = 0;
  double length_penalty = 0;
  double max_length_a = 0;
  std::int64_t max_length_b = 0;
  std::string dtype, device;
  std::int64_t threads = 0;
  std::optional<std::string> memory;  ///< the encoder, where translations came from a memory
  std::optional<KnnSettings> knn;
  std::int64_t cut = 0;  ///< translations that were cut at their greatest length

  static DecodingManifest from_json(const store::Manifest& manifest);
};

/// What manifest_of() shares: the manifest, which rank 0 has read and checked.
store::Manifest read_on_root(runtime::StageContext& context, const StageRef& step,
                             void (*check)(const store::Manifest&));

/// The manifest of a finished step, as runtime::require_manifest() reads it on rank 0, for all
/// ranks, which throw together. Collective.
template <class Manifest>
Manifest manifest_of(runtime::StageContext& context, const StageRef& step) {
  return Manifest::from_json(read_on_root(
      context, step, [](const store::Manifest& manifest) { Manifest::from_json(manifest); }));
}

}  // namespace knnseq::stages
