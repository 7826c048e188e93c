// Everything the configuration can say, read at once so that every mistake in it is reported at
// once, whichever stage was asked for.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/enum_names.hpp"
#include "gpu/placement.hpp"
#include "index/train/train_options.hpp"
#include "metrics/bleu_tokenizer.hpp"
#include "model/base/key_kind.hpp"
#include "retrieval/mixing/mixing_policy.hpp"
#include "retrieval/search_options.hpp"
#include "search/beam_options.hpp"
#include "stages/shared/options/sample_spec.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

struct CorpusOptions {
  std::vector<std::filesystem::path> source;
  std::vector<std::filesystem::path> target;
  bool drop_bad_pairs = true;      ///< bad_pairs: drop or stop
  std::int64_t max_tokens = 4000;  ///< sentences times the longest side, a batch
};

/// Which keys encode keeps.
enum class KeyStore {
  keys,  ///< all of them; add reads them
  none   ///< the training sample; add makes keys itself and codes them at once
};

constexpr auto names_of(KeyStore) {
  return core::enum_names<KeyStore>({{KeyStore::keys, "keys"}, {KeyStore::none, "none"}});
}

/// A store of keys and values that another program has made: what `import` takes in place of text.
struct ImportOptions {
  std::vector<std::filesystem::path> keys, values;  ///< in pairs; none: there is nothing to import
  std::vector<std::filesystem::path> index;         ///< faiss files of all keys, or of each file
  std::int64_t entries = 0;                         ///< how many, from the first; 0: all
  /// Features of the source sentences of each file of values, and which lines they are of.
  std::vector<std::filesystem::path> sentences = {}, source_values = {};

  bool on() const { return !keys.empty() || !values.empty(); }
};

/// What keys are stored as.
enum class KeyType { fp16, fp32, bf16 };

constexpr auto names_of(KeyType) {
  return core::enum_names<KeyType>(
      {{KeyType::fp16, "fp16"}, {KeyType::fp32, "fp32"}, {KeyType::bf16, "bf16"}});
}

/// Bytes of one of a key's numbers.
constexpr std::int64_t bytes_of(KeyType type) { return type == KeyType::fp32 ? 4 : 2; }

/// Which entries the index does without.
struct PruneOptions {
  /// Those whose token the model itself gives at least this probability; none: it does not matter.
  std::optional<double> probability = {};
  /// Those of a list whose nearest, of those that are left, have the same token within this squared
  /// distance: in mean squared distances of an entry from its list's centroid; none: likewise.
  std::optional<double> distance = {};
  std::int64_t neighbours = 4;  ///< how many of the nearest
  bool measure = false;         ///< translate tune.source with and without the others

  bool on() const { return probability.has_value() || distance.has_value(); }
};

struct DatastoreOptions {
  model::KeySpec key;
  std::string dtype = "auto";  ///< of the model when it makes keys
  KeyType keys = KeyType::fp16;
  KeyStore store = KeyStore::keys;
  bool sentence_keys = true;
  bool log_probs = false;  ///< also store what the model gives each entry's token
  SampleSpec sample = {65536, 1, SampleUnit::entry};  ///< training vectors
  PruneOptions prune = {};
};

struct IndexOptions {
  std::string factory;
  std::string metric = "l2";
  index::TrainOptions training;
};

/// Where the neighbours of a query are looked for.
enum class KnnMode {
  plain,   ///< in the whole datastore
  subset,  ///< among the entries of the sentences most similar to the one that is translated
  memory   ///< nowhere: the target of the most similar sentence is the translation
};

constexpr auto names_of(KnnMode) {
  return core::enum_names<KnnMode>(
      {{KnnMode::plain, "plain"}, {KnnMode::subset, "subset"}, {KnnMode::memory, "memory"}});
}

/// How similar sentences are found.
enum class SentenceEncoder {
  mean,        ///< by the mean of the translation model's encoder output
  bm25,        ///< by the pieces they share
  tfidf,       ///< likewise
  torchscript  ///< by the vectors of a model of its own
};

constexpr auto names_of(SentenceEncoder) {
  return core::enum_names<SentenceEncoder>({{SentenceEncoder::mean, "mean"},
                                            {SentenceEncoder::bm25, "bm25"},
                                            {SentenceEncoder::tfidf, "tfidf"},
                                            {SentenceEncoder::torchscript, "torchscript"}});
}

/// Subset kNN-MT: similar sentences, and codes of all entries.
struct SubsetOptions {
  SentenceEncoder encoder = SentenceEncoder::mean;
  std::filesystem::path model;           ///< of SentenceEncoder::torchscript
  std::int64_t sentences = 512;          ///< how many similar ones make a subset
  std::string index = "Flat";            ///< of sentence vectors
  std::string metric = "l2";             ///< of sentence vectors
  std::int64_t nprobe = 32;              ///< lists of that index, if it has lists
  std::int64_t sample = 65536;           ///< sentences that train that index
  std::string codes = "OPQ64_256,PQ64";  ///< of entries; trained on the datastore's sample

  /// Whether similar sentences are found by an index of vectors.
  bool has_vectors() const {
    return encoder == SentenceEncoder::mean || encoder == SentenceEncoder::torchscript;
  }
};

/// Which memory holds a whole copy of the index.
enum class IndexCopies {
  automatic,  ///< the smallest that has room for one
  device,     ///< each rank's own: its GPU, or what it allocates
  node,       ///< that of a node, read by all of its ranks
  nodes,      ///< that of all nodes together: each holds a part, read by all of its ranks
  job         ///< that of all ranks together: each holds a part, and searches it for all
};

constexpr auto names_of(IndexCopies) {
  return core::enum_names<IndexCopies>({{IndexCopies::automatic, "auto"},
                                        {IndexCopies::device, "device"},
                                        {IndexCopies::node, "node"},
                                        {IndexCopies::nodes, "nodes"},
                                        {IndexCopies::job, "job"}});
}

/// Whether a node's ranks read one piece of memory.
constexpr bool in_node_memory(IndexCopies copies) {
  return copies == IndexCopies::node || copies == IndexCopies::nodes;
}

/// One translation of one test set.
struct DecodeOptions {
  std::string name;
  std::filesystem::path source;
  std::optional<std::filesystem::path> reference;
  bool knn = true;
  KnnMode mode = KnnMode::plain;
  std::string dtype = "auto";  ///< of the model when it translates
  /// Run directories of the datastores: none for this run's own, else one for each model.
  std::vector<std::filesystem::path> datastores = {};
  std::vector<std::string> corpora = {};        ///< of this run's own that are searched; none: all
  IndexCopies copies = IndexCopies::automatic;  ///< of plain kNN
  retrieval::SearchOptions search;
  retrieval::MixingOptions interpolation;
  search::BeamOptions beam;
  std::int64_t block_sentences = 64;
};

/// What the corpus of `corpus:` is called where corpora are named.
inline constexpr const char* first_corpus_name = "main";

/// Another corpus, searched beside the first under its codebook.
struct AppendOptions {
  std::string name;
  CorpusOptions corpus;
  double weight = 1;    ///< factor on its neighbours' shares; the first corpus has 1
  bool merged = false;  ///< it came from another run directory: there is no text of it here
};

/// What translations are scored by.
enum class ScoreKind { bleu, chrf, chrf_pp, ter };

constexpr auto names_of(ScoreKind) {
  return core::enum_names<ScoreKind>({{ScoreKind::bleu, "bleu"},
                                      {ScoreKind::chrf, "chrf"},
                                      {ScoreKind::chrf_pp, "chrf++"},
                                      {ScoreKind::ter, "ter"}});
}

/// Scores that another program has made.
struct ExternalScores {
  std::string name;  ///< "comet"
  std::string file;  ///< "{}" in it stands for the name of the item of decode

  std::filesystem::path file_of(const std::string& decoding) const;
};

struct EvaluateOptions {
  std::string language;                           ///< of the target side
  std::optional<metrics::Tokenization> tokenize;  ///< for BLEU; none: what is usual for language
  std::filesystem::path spm_model;
  std::string tokenize_command;
  std::vector<ScoreKind> scores = {ScoreKind::bleu, ScoreKind::chrf};
  std::vector<ExternalScores> external;
  std::string baseline;           ///< name of an item of decode; empty: chosen (compare_systems())
  std::int64_t resamples = 1000;  ///< of the bootstrap; 0: none
  std::uint64_t seed = 12345;     ///< of the bootstrap

  /// What BLEU is computed on.
  metrics::BleuTokenization tokenization() const;
};

struct InspectOptions {
  std::string base;  ///< names of two decodings of one test set
  std::string knn;
  std::int64_t line = -1;   ///< from 1; −1: the longest that kNN alone gets right
  std::int64_t token = -1;  ///< of knn's translation, from 1; −1: the first that differs
  std::int64_t neighbours = 8;
  bool json = false;                ///< print the trace, and not text
  bool plane = false;               ///< the trace has that of the query and the neighbours
  std::string html;                 ///< a file: all lines as a page, and not one as text
  std::vector<std::int64_t> lines;  ///< of the page, from 1; empty: all
};

/// How `train` goes about it.
struct TrainStageOptions {
  bool continued = false;  ///< a new codebook of all corpora in the place of the one that is there
};

/// What `remove` takes out beside the corpora that its command line names.
struct RemoveOptions {
  std::filesystem::path lines;  ///< a file that lists single pairs; empty: none
};

/// Translation of what comes in by standard input.
struct TranslateOptions {
  bool jsonl = false;           ///< one JSON object a line, in and out
  std::int64_t batch = 16'384;  ///< most lines that are translated together
};

/// Translation by HTTP.
struct ServeOptions {
  std::string listen = "127.0.0.1:8080";
  std::vector<std::string> hosts;     ///< more names that a request's Host may say
  std::int64_t queue = 256;           ///< sentences that wait, at most
  std::int64_t body_bytes = 1 << 20;  ///< of a request, at most
  double answer_seconds = 60;         ///< after which a request is given up
  bool learn = false;                 ///< whether clients may teach it pairs
};

/// A grid of indexes and search settings, measured on held-out text.
struct SweepOptions {
  std::filesystem::path source;  ///< empty: none is configured
  std::filesystem::path target;
  std::int64_t queries = 1000;       ///< at most
  std::uint64_t seed = 1;            ///< of the choice of queries
  std::vector<std::string> indexes;  ///< factory strings
  std::vector<std::int64_t> nprobe = {1, 4, 16, 32, 64};
  std::vector<std::int64_t> ef_search = {16, 64, 256};
  std::vector<std::int64_t> shares = {1, 4, 16};  ///< n: 1/n of the entries
  std::vector<std::int64_t> k = {1, 16, 64};
};

/// By which score tune decides.
enum class TuneMetric { bleu, chrf };

constexpr auto names_of(TuneMetric) {
  return core::enum_names<TuneMetric>({{TuneMetric::bleu, "bleu"}, {TuneMetric::chrf, "chrf"}});
}

/// A grid of kNN settings, and policies, compared on a validation set.
struct TuneOptions {
  DecodeOptions decoding;  ///< source, reference, and what is not in the grid
  /// A second validation set, of text that the datastore is not for; empty: none.
  struct {
    std::filesystem::path source, reference;
  } general;
  std::vector<retrieval::PolicyKind> policies;
  TuneMetric by = TuneMetric::bleu;
  std::vector<std::int64_t> k = {4, 8, 16, 32, 64};  ///< ascending
  std::vector<double> temperature;                   ///< empty: chosen by the neighbours' spread
  std::vector<double> lambda = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95};
  std::vector<std::int64_t> nprobe;     ///< in the whole datastore
  std::vector<std::int64_t> sentences;  ///< in subsets
  std::int64_t candidates = 5;          ///< how many settings are translated with
  std::vector<double> length_penalty;   ///< tried with the best; empty: the config's only
  std::vector<double> skip;  ///< shares of searches to do without, tried with a gate; empty: none

  /// How far a search looks: the setting's name in the config, and its values.
  std::string breadth_name() const { return subsets() ? "sentences" : "nprobe"; }
  const std::vector<std::int64_t>& breadths() const { return subsets() ? sentences : nprobe; }
  bool subsets() const { return decoding.mode == KnnMode::subset; }
};

/// What a run will take, before it begins.
struct PlanOptions {
  std::int64_t entries = 0;  ///< of a corpus that is not there yet; 0: those of the config's text
  std::int64_t ranks = 0;    ///< of the run; 0: as many as plan has
  std::int64_t nodes = 0;    ///< hosts of the run; 0: as many as plan has
  std::int64_t node_memory = 0;   ///< GiB that a host has for it; 0: what is free here
  std::filesystem::path rates;    ///< a file of --measure, or a finished run directory; or empty
  std::filesystem::path measure;  ///< a file to write such rates to; empty: nothing is measured
  std::int64_t lines = 4000;      ///< of the corpus, that are measured with
};

/// Shell commands that text goes through line by line before it is tokenised; empty: none.
struct PreprocessOptions {
  std::string source;
  std::string target;
};

struct Options {
  std::filesystem::path run_dir;
  std::vector<std::filesystem::path> models;  ///< the first makes keys; several: an ensemble
  std::filesystem::path tokenizer;
  text::Languages languages;
  PreprocessOptions preprocess;
  std::string postprocess;  ///< shell command that translations go through; empty: none
  std::int64_t shards = 1;
  gpu::Wanted device = gpu::Wanted::automatic;
  std::int64_t threads = 1;       ///< of each rank
  double timeout_seconds = 3600;  ///< longest wait for other ranks in one collective; 0: for ever
  CorpusOptions corpus;           ///< without files where a datastore is imported
  ImportOptions foreign;
  DatastoreOptions datastore;
  IndexOptions index;
  SubsetOptions subset;
  std::vector<AppendOptions> append;
  std::vector<DecodeOptions> decode;
  DecodeOptions search_defaults;  ///< of knn: and beam_search:, for what is no item of decode
  EvaluateOptions evaluate;
  InspectOptions inspect;
  TrainStageOptions train;
  RemoveOptions remove;
  TranslateOptions translate;
  ServeOptions serve;
  SweepOptions sweep;
  TuneOptions tune;
  PlanOptions plan;

  /// Whether an item of decode looks for neighbours in subsets.
  bool decodes_subsets() const;
};

/// Reads and checks the whole configuration. Throws core::InputError listing every problem.
Options read_options(const config::Config& config);

/// All keys that read_options() reads, with their defaults.
std::vector<config::KnownKey> config_keys();

}  // namespace knnseq::stages
