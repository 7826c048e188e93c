#include "stages/shared/options/options.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/nearest_name.hpp"
#include "stages/shared/options/inputs_outside.hpp"
#include "stages/shared/options/read_evaluate.hpp"
#include "stages/shared/options/read_tools.hpp"

namespace knnseq::stages {

using config::Section;

namespace {

// Bounds for numbers that have no natural ones. Products with them stay far below what 64 bits
// hold, and so do fp32 values made from them.
constexpr std::int64_t many = 1'000'000'000;
constexpr config::IntegerBounds count_bounds{1, many};
constexpr config::IntegerBounds iteration_bounds{1, 1'000'000};
constexpr config::IntegerBounds entry_bounds{1, core::max_entry_number};
constexpr config::IntegerBounds neighbour_bounds{1, 1'000'000};
constexpr config::IntegerBounds list_bounds{1, std::numeric_limits<std::int32_t>::max()};
constexpr config::NumberBounds temperature_bounds{1e-6, 1e30};
constexpr config::NumberBounds weight_bounds{1e-9, 1e9};
constexpr config::NumberBounds score_bounds{-1e30, 1e30};
constexpr double most_settings = 1e6;  // of tune's grid

std::vector<std::filesystem::path> paths(const Section& section, const std::string& key) {
  const auto texts = section.paths(key);
  return {texts.begin(), texts.end()};
}

/// One of an enum's names.
template <class Enum>
Enum choose(const Section& section, const std::string& key, Enum fallback) {
  const auto name =
      section.choice(key, core::all_names<Enum>(), std::string(core::name_of(fallback)));
  return core::value_named<Enum>(name).value_or(fallback);
}

ImportOptions read_import(const Section& section) {
  ImportOptions options;
  options.keys = paths(section, "keys");
  options.values = paths(section, "values");
  options.index = paths(section, "index");
  options.sentences = paths(section, "sentences");
  options.source_values = paths(section, "source_values");
  if (options.sentences.empty() && !options.source_values.empty()) {
    section.problem("source_values", "has no effect without sentences");
  }
  options.entries = section.integer("entries", 0, {0, core::max_entry_number});
  return options;
}

/// needed: whether there must be files. Without, there may be none where a datastore is imported.
CorpusOptions read_corpus(const Section& section, CorpusOptions options, bool needed = true) {
  options.source = paths(section, "source");
  options.target = paths(section, "target");
  if (needed || !options.source.empty() || !options.target.empty()) {
    if (options.source.empty()) section.problem("source", "is required (one file or a list)");
    if (options.target.empty()) section.problem("target", "is required (one file or a list)");
  }
  options.drop_bad_pairs = section.choice("bad_pairs", {"drop", "stop"},
                                          options.drop_bad_pairs ? "drop" : "stop") == "drop";
  options.max_tokens = section.integer("max_tokens", options.max_tokens, count_bounds);
  return options;
}

/// translates: whether it is for translations alone.
std::string read_dtype(const Section& section, const std::string& fallback, bool translates) {
  std::string dtype = section.choice("dtype", {"auto", "fp32", "bf16", "fp16", "int8"}, fallback);
  if (dtype == "int8" && !translates) {
    section.problem("dtype", "int8 is too coarse for keys: set it as beam_search.dtype");
  }
  return dtype;
}

PruneOptions read_prune(const Section& section) {
  PruneOptions options;
  options.probability = section.optional_number("probability", {0.01, 1});
  options.distance = section.optional_number("distance", {0, 1e6});
  options.neighbours = section.integer("neighbours", options.neighbours, {1, 1000});
  options.measure = section.flag("measure", false);
  return options;
}

DatastoreOptions read_datastore(const Section& section, const std::string& dtype) {
  DatastoreOptions options;
  options.key = {choose(section, "key", model::KeyKind::ffn_in),
                 section.integer("layer", -1, {-10'000, 10'000})};
  options.dtype = read_dtype(section, dtype, false);
  options.keys = choose(section, "keys", KeyType::fp16);
  options.store = choose(section, "store", KeyStore::keys);
  const bool stored = options.store == KeyStore::keys;
  options.sentence_keys = section.flag("sentence_keys", stored);
  if (options.sentence_keys && !stored) {
    section.problem("sentence_keys",
                    "must be false if store is none: encode then makes the "
                    "sample's keys only");
  }
  options.log_probs = section.flag("log_probs", false);
  if (options.log_probs && !stored) {
    section.problem("log_probs", "must be false if store is none: prune then makes them");
  }
  options.prune = read_prune(section.section("prune"));
  options.sample.size = section.integer("sample", options.sample.size, entry_bounds);
  options.sample.seed = static_cast<std::uint64_t>(section.integer("seed", 1, seed_bounds));
  options.sample.unit =
      choose(section, "sample_unit", stored ? SampleUnit::entry : SampleUnit::batch);
  return options;
}

IndexOptions read_index(const Section& section) {
  IndexOptions options;
  options.factory = section.text("factory");
  options.metric = core::name_of(choose(section, "metric", index::Metric::l2));
  auto& training = options.training;
  const auto count = [&](const char* key, std::int64_t fallback) {
    return section.integer(key, fallback, iteration_bounds);
  };
  training.seed = static_cast<std::uint64_t>(
      section.integer("seed", static_cast<std::int64_t>(training.seed), seed_bounds));
  training.coarse_iterations = count("coarse_iterations", training.coarse_iterations);
  training.coarse_search = choose(section, "coarse_search", training.coarse_search);
  training.opq_tolerance = section.number("opq_tolerance", training.opq_tolerance, {0, 0.999});
  training.opq_iterations = count("opq_iterations", training.opq_iterations);
  training.opq_pq_iterations = count("opq_pq_iterations", training.opq_pq_iterations);
  training.opq_first_pq_iterations =
      count("opq_first_pq_iterations", training.opq_first_pq_iterations);
  training.pq_iterations = count("pq_iterations", training.pq_iterations);
  training.max_points_per_centroid =
      section.integer("max_points_per_centroid", training.max_points_per_centroid, {0, many});
  return options;
}

SubsetOptions read_subset(const Section& section) {
  SubsetOptions options;
  options.encoder = choose(section, "encoder", options.encoder);
  options.model = section.path("model", "");
  if ((options.encoder == SentenceEncoder::torchscript) == options.model.empty()) {
    section.problem(
        "model", options.model.empty()
                     ? "is required if encoder is torchscript: a TorchScript file"
                     : "has no effect: encoder is " + std::string(core::name_of(options.encoder)));
  }
  options.sentences = section.integer("sentences", options.sentences, count_bounds);
  options.index = section.text("index", options.index);
  options.metric = core::name_of(choose(section, "metric", index::Metric::l2));
  options.nprobe = section.integer("nprobe", options.nprobe, list_bounds);
  options.sample = section.integer("sample", options.sample, entry_bounds);
  options.codes = section.text("codes", options.codes);
  return options;
}

/// T has a usual default for squared distances only: elsewhere it is 0 until it is given.
void read_temperature(const Section& section, const std::string& metric, DecodeOptions& options) {
  float& temperature = options.interpolation.temperature;
  const bool needed = metric != "l2" && !section.has("temperature");
  if (needed) {
    section.optional_number("temperature", temperature_bounds);
  } else {
    temperature =
        static_cast<float>(section.number("temperature", temperature, temperature_bounds));
  }
}

/// A key that the policy makes no use of.
void refuse_unused(const Section& section, const std::string& key, retrieval::PolicyKind policy) {
  section.problem(key, fmt::format("has no effect: policy is {}", core::name_of(policy)));
}

/// λ, T and the like, as far as the policy uses them.
void read_mixing(const Section& section, const std::string& metric, DecodeOptions& options) {
  using retrieval::PolicyKind;
  auto& mixing = options.interpolation;
  mixing.policy = choose(section, "policy", mixing.policy);
  const bool learned = retrieval::is_learned(mixing.policy);
  if (!learned) {
    read_temperature(section, metric, options);
  } else if (section.has("temperature")) {
    refuse_unused(section, "temperature", mixing.policy);
  }
  if (mixing.policy == PolicyKind::fixed) {
    mixing.lambda = static_cast<float>(section.number("lambda", mixing.lambda, {0, 1}));
    if (mixing.lambda >= 1) {
      section.problem("lambda", "must be below 1: if all neighbours are masked nothing is left");
    }
  } else if (section.has("lambda")) {
    refuse_unused(section, "lambda", mixing.policy);
  }
  if (const auto tau = section.optional_number("tau", temperature_bounds)) {
    if (mixing.policy != PolicyKind::distance) refuse_unused(section, "tau", mixing.policy);
    mixing.tau = static_cast<float>(*tau);
  }
  const std::filesystem::path network = section.path("network", "");
  if (!network.empty()) {
    if (!learned) refuse_unused(section, "network", mixing.policy);
    mixing.network = network;
  }
  if (const auto threshold = section.optional_number("threshold", score_bounds)) {
    mixing.threshold = static_cast<float>(*threshold);
  }
  const std::filesystem::path gate = section.path("gate", "");
  if (!gate.empty()) mixing.gate = gate;
  mixing.skip = section.number("skip", mixing.skip, {0, 1});
}

/// What a decoding's policy needs, after all overrides.
void check_mixing(const Section& section, const std::string& metric, const DecodeOptions& options) {
  using retrieval::PolicyKind;
  const auto& mixing = options.interpolation;
  const bool learned = retrieval::is_learned(mixing.policy);
  const auto need = [&](const char* key, const std::string& what) {
    section.problem(key, fmt::format("is required if policy is {} (here or in knn): {}",
                                     core::name_of(mixing.policy), what));
  };
  if (!learned && mixing.temperature == 0) {
    section.problem("temperature", "is required if index.metric is " + metric +
                                       " (here or in knn): its scale is that of inner products");
  }
  if (mixing.policy == PolicyKind::distance) {
    if (mixing.tau == 0) need("tau", "the distance from which on neighbours are ignored");
    if (metric != "l2") section.problem("policy", "distance needs index.metric l2");
  }
  if ((mixing.skip > 0) == mixing.gate.empty()) {
    section.problem(mixing.gate.empty() ? "gate" : "skip",
                    "is required: gate, a file that tune has written, and skip go together");
  }
  if (!learned) return;
  if (mixing.network.empty()) need("network", "a file that tune has written");
  if (mixing.threshold) refuse_unused(section, "threshold", mixing.policy);
  if (options.datastores.size() > 1) {
    section.problem("policy", fmt::format("{} has been trained on one datastore; with several take "
                                          "fixed or distance",
                                          core::name_of(mixing.policy)));
  }
}

/// The keys of `knn:`, which items of `decode:` may override.
void read_knn(const Section& section, const std::string& metric, DecodeOptions& options) {
  options.mode = choose(section, "mode", options.mode);
  options.search.k = section.integer("k", options.search.k, neighbour_bounds);
  options.search.nprobe = section.integer("nprobe", options.search.nprobe, list_bounds);
  options.search.probing = choose(section, "probing", options.search.probing);
  options.search.backend = choose(section, "backend", options.search.backend);
  options.copies = choose(section, "copies", options.copies);
  options.search.ef_search = section.integer("ef_search", options.search.ef_search, {1, 1'000'000});
  read_mixing(section, metric, options);
  const auto datastores = paths(section, "datastores");
  if (!datastores.empty()) options.datastores = datastores;
  const auto corpora = section.texts("corpora");
  if (!corpora.empty()) options.corpora = corpora;
}

/// The keys of `beam_search:`, which items of `decode:` may override.
void read_beam(const Section& section, DecodeOptions& options) {
  auto& beam = options.beam;
  beam.beam = static_cast<int>(section.integer("beam", beam.beam, {1, 1000}));
  beam.length_penalty = section.number("length_penalty", beam.length_penalty, {-10, 10});
  beam.max_length_a = section.number("max_length_a", beam.max_length_a, {0, 1e6});
  beam.max_length_b =
      static_cast<int>(section.integer("max_length_b", beam.max_length_b, {0, 1'000'000}));
  beam.nbest = static_cast<int>(section.integer("nbest", beam.nbest, {1, 1000}));
  if (beam.nbest > beam.beam) section.problem("nbest", "must not be larger than beam");
  options.dtype = read_dtype(section, options.dtype, true);
  options.block_sentences =
      section.integer("block_sentences", options.block_sentences, {1, 100'000});
}

/// The name of an item of a list. It becomes a folder's name and part of a file's, so it must be
/// plain, short, and in the list once.
std::string read_name(const Section& section, std::set<std::string>& names) {
  constexpr std::size_t most_bytes = 100;
  const std::string name = section.text("name");
  if (!is_item_name(name)) section.problem("name", "must be of letters, digits, '-', '_' and '.'");
  if (name.size() > most_bytes) {
    section.problem("name", fmt::format("must have at most {} characters", most_bytes));
  }
  if (!names.insert(name).second) section.problem("name", "is used twice");
  return name;
}

/// Items of `append:` inherit from `corpus:` what is not a file.
std::vector<AppendOptions> read_append(const Section& root, const CorpusOptions& defaults) {
  std::vector<AppendOptions> all;
  std::set<std::string> names;
  for (const auto& section : root.sections("append")) {
    const bool merged = section.flag("merged", false);
    all.push_back({read_name(section, names), read_corpus(section, defaults, !merged),
                   section.number("weight", 1, weight_bounds), merged});
    if (merged && !all.back().corpus.source.empty()) {
      section.problem("merged", "excludes source and target: its text is not read");
    }
    if (all.back().name == first_corpus_name) {
      section.problem("name", fmt::format("must not be '{}', which is the corpus of corpus:",
                                          first_corpus_name));
    }
  }
  return all;
}

/// What items in subsets have where it differs from `knn:` and `beam_search:`.
DecodeOptions read_subset_defaults(const Section& subset, const std::string& metric,
                                   DecodeOptions options) {
  if (!subset.has("decode")) return options;
  const auto section = subset.section("decode");
  options.mode = KnnMode::subset;
  read_knn(section, metric, options);
  if (options.mode != KnnMode::subset) section.problem("mode", "must be subset, or left out");
  read_beam(section, options);
  return options;
}

std::vector<DecodeOptions> read_decode(const Section& root, const std::string& metric,
                                       const DecodeOptions& defaults,
                                       const DecodeOptions& of_subsets) {
  std::vector<DecodeOptions> all;
  std::set<std::string> names;
  for (const auto& section : root.sections("decode")) {
    const auto name = read_name(section, names);
    const std::filesystem::path source = section.path("source");
    const std::string reference = section.path("reference", "");
    const bool knn = section.flag("knn", true);
    const auto mode = choose(section, "mode", defaults.mode);
    DecodeOptions options = mode == KnnMode::subset ? of_subsets : defaults;
    options.name = name;
    options.source = source;
    if (!reference.empty()) options.reference = reference;
    options.knn = knn;
    options.mode = mode;
    read_knn(section, metric, options);
    if (options.knn && options.mode != KnnMode::memory) check_mixing(section, metric, options);
    read_beam(section, options);
    all.push_back(options);
  }
  return all;
}

/// Models, tokeniser, languages and the commands around them.
void read_model(const Section& root, Options& options) {
  options.models = paths(root, "model");
  if (options.models.empty()) root.problem("model", "is required (one model, or a list)");
  const std::string first = options.models.empty() ? "" : options.models.front().string();
  options.tokenizer = root.path("tokenizer", first);
  if (options.tokenizer.extension() == ".pt") {
    root.problem("tokenizer",
                 "is required with a TorchScript model: a folder with tokeniser files");
  }
  options.languages = {root.text("source_lang", ""), root.text("target_lang", "")};
  const auto preprocess = root.section("preprocess");
  options.preprocess = {preprocess.text("source", ""), preprocess.text("target", "")};
  options.postprocess = root.text("postprocess", "");
}

void check_prune(const Section& root, const Options& options) {
  const auto& prune = options.datastore.prune;
  if (prune.distance && options.index.factory.find("IVF") == std::string::npos) {
    root.problem("datastore.prune.distance", "compares the entries of a list: index.factory " +
                                                 options.index.factory + " has no lists");
  }
  if (prune.measure && options.tune.decoding.source.empty()) {
    root.problem("datastore.prune.measure", "needs tune.source and tune.reference");
  }
}

void check_datastores(const Section& root, const Options& options) {
  for (const auto& decoding : options.decode) {
    const auto count = decoding.datastores.size();
    if (!decoding.knn || count == 0) continue;
    if (decoding.mode != KnnMode::plain) {
      root.problem("knn",
                   "datastores: modes subset and memory search this run's own datastore only");
      return;
    }
    if (count == options.models.size()) continue;
    root.problem("knn", fmt::format("datastores: {} for {} models; give one run directory for each "
                                    "model, or none to use this run's own datastore",
                                    count, options.models.size()));
    return;
  }
}

/// Names of corpora that a decoding searches.
void check_corpora(const Section& section, const std::vector<AppendOptions>& appended,
                   const DecodeOptions& decoding) {
  if (!decoding.knn || decoding.corpora.empty()) return;
  std::vector<std::string> names = {first_corpus_name};
  for (const auto& item : appended) names.push_back(item.name);
  for (const auto& name : decoding.corpora) {
    if (std::ranges::find(names, name) != names.end()) continue;
    section.problem("corpora", fmt::format("there is no corpus '{}'; did you mean '{}'?", name,
                                           core::nearest_name(name, names)));
  }
  if (!decoding.datastores.empty()) {
    section.problem("corpora", "are those of this run's own datastore: not with datastores");
  }
}

SweepOptions read_sweep(const Section& section, const std::string& factory) {
  SweepOptions options;
  options.source = section.path("source", "");
  options.target = section.path("target", "");
  if (options.source.empty() != options.target.empty()) {
    section.problem(options.source.empty() ? "source" : "target",
                    "is required: source and target go together");
  }
  options.queries = section.integer("queries", options.queries, count_bounds);
  options.seed = static_cast<std::uint64_t>(section.integer("seed", 1, seed_bounds));
  options.indexes = section.texts("indexes");
  if (options.indexes.empty()) options.indexes = {factory};
  const auto list = [&](const char* key, std::vector<std::int64_t>& values, std::int64_t most) {
    values = section.integers(key, values, {1, most});
    if (values.empty()) section.problem(key, "must not be empty");
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
  };
  list("nprobe", options.nprobe, 1'000'000);
  list("ef_search", options.ef_search, 1'000'000);
  list("shares", options.shares, 1'000'000);
  list("k", options.k, 10'000);
  if (options.shares.size() > 64) section.problem("shares", "must not be more than 64");
  return options;
}

/// The policies that tune compares: all that fit the metric and the threshold, if none is named.
std::vector<retrieval::PolicyKind> read_policies(const Section& section, const std::string& metric,
                                                 const DecodeOptions& decoding) {
  using retrieval::PolicyKind;
  const bool any_sign = metric != "l2";  // of distances
  const bool thresholded = decoding.interpolation.threshold.has_value();
  const auto reason_against = [&](PolicyKind policy) -> std::string {
    if (policy == PolicyKind::distance && any_sign) return "needs index.metric l2";
    if (retrieval::is_learned(policy) && thresholded) return "does not go with knn.threshold";
    return "";
  };
  const auto names = section.texts("policies");
  std::vector<PolicyKind> policies;
  for (const auto& name : names.empty() ? core::all_names<PolicyKind>() : names) {
    const auto policy = core::value_named<PolicyKind>(name);
    const std::string reason =
        policy ? reason_against(*policy)
               : "is none; there are " +
                     fmt::format("{}", fmt::join(core::all_names<PolicyKind>(), ", "));
    if (reason.empty()) {
      policies.push_back(*policy);
    } else if (!names.empty()) {
      section.problem("policies", name + " " + reason);
    }
  }
  return policies;
}

TuneOptions read_tune(const Section& section, const std::string& metric,
                      const DecodeOptions& defaults, const SubsetOptions& subset) {
  TuneOptions options;
  options.decoding = defaults;
  options.decoding.name = "tune";
  options.decoding.source = section.path("source", "");
  const std::string reference = section.path("reference", "");
  if (options.decoding.source.empty() != reference.empty()) {
    section.problem(reference.empty() ? "reference" : "source",
                    "is required: source and reference go together");
  }
  options.decoding.reference = reference;
  const Section general = section.section("general");
  options.general.source = general.text("source", "");
  options.general.reference = general.text("reference", "");
  if (options.general.source.empty() != options.general.reference.empty()) {
    general.problem(options.general.reference.empty() ? "reference" : "source",
                    "is required: source and reference go together");
  }
  options.policies = read_policies(section, metric, defaults);
  options.by = choose(section, "by", options.by);
  options.k = section.integers("k", options.k, {1, 10'000});
  options.temperature = section.numbers("temperature", {}, temperature_bounds);
  options.lambda = section.numbers("lambda", options.lambda, {0, 0.999});
  options.nprobe = section.integers("nprobe", {}, list_bounds);
  if (options.nprobe.empty()) options.nprobe = {defaults.search.nprobe};
  options.sentences = section.integers("sentences", {}, count_bounds);
  if (options.sentences.empty()) options.sentences = {subset.sentences};
  options.decoding.mode = choose(section, "mode", defaults.mode);
  if (options.decoding.mode == KnnMode::memory) section.problem("mode", "must be plain or subset");
  if (options.k.empty()) section.problem("k", "must not be empty");
  if (options.lambda.empty()) section.problem("lambda", "must not be empty");
  const auto sorted = [](auto& values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
  };
  sorted(options.k);
  sorted(options.temperature);
  sorted(options.lambda);
  sorted(options.nprobe);
  sorted(options.sentences);
  const auto settings = static_cast<double>(options.k.size()) * options.lambda.size() *
                        std::max<std::size_t>(options.temperature.size(), 8) *
                        options.breadths().size();
  if (settings > most_settings) {
    section.problem("k", fmt::format("the lists make {:.0f} settings, more than {:.0f}", settings,
                                     most_settings));
  }
  options.candidates = section.integer("candidates", options.candidates, neighbour_bounds);
  options.length_penalty = section.numbers("length_penalty", {}, {-10, 10});
  sorted(options.length_penalty);
  options.skip = section.numbers("skip", {}, {0.01, 0.99});
  sorted(options.skip);
  return options;
}

/// Notes what is wrong, for config.finish().
Options read_all(const config::Config& config) {
  const Section root = config.root();
  Options options;
  options.run_dir = root.path("run_dir");
  read_model(root, options);
  const std::string dtype = read_dtype(root, "auto", false);
  options.device = choose(root, "device", options.device);
  options.shards = root.integer("shards", options.shards, {1, 99'999});
  options.threads = root.integer("threads", options.threads, {1, 4096});
  options.timeout_seconds = root.number("timeout_seconds", options.timeout_seconds, {0, 1e9});
  options.foreign = read_import(root.section("import"));
  options.corpus = read_corpus(root.section("corpus"), {}, !options.foreign.on());
  options.append = read_append(root, options.corpus);
  options.datastore = read_datastore(root.section("datastore"), dtype);
  options.index = read_index(root.section("index"));
  options.subset = read_subset(root.section("subset"));
  DecodeOptions defaults;
  defaults.beam.key = options.datastore.key;
  defaults.dtype = dtype;
  const std::string& metric = options.index.metric;
  if (metric != "l2") defaults.interpolation.temperature = 0;
  read_knn(root.section("knn"), metric, defaults);
  read_beam(root.section("beam_search"), defaults);
  options.decode = read_decode(root, metric, defaults,
                               read_subset_defaults(root.section("subset"), metric, defaults));
  check_datastores(root, options);
  check_corpora(root.section("knn"), options.append, defaults);
  for (const auto& decoding : options.decode) {
    if (decoding.corpora == defaults.corpora && decoding.datastores == defaults.datastores)
      continue;
    check_corpora(root.section("knn"), options.append, decoding);
  }
  if (options.datastore.store == KeyStore::none && options.decodes_subsets()) {
    root.problem("datastore",
                 "store: none leaves nothing for modes subset and memory; they need "
                 "datastore.store: keys");
  }
  options.evaluate = read_evaluate(root.section("evaluate"), options.decode);
  options.search_defaults = defaults;
  options.inspect = read_inspect(root.section("inspect"));
  options.train.continued = root.section("train").flag("continue", false);
  options.remove.lines = root.section("remove").path("lines", "");
  options.translate = read_translate(root.section("translate"));
  options.serve = read_serve(root.section("serve"));
  options.sweep = read_sweep(root.section("sweep"), options.index.factory);
  options.tune = read_tune(root.section("tune"), metric, defaults, options.subset);
  options.plan = read_plan(root.section("plan"));
  check_prune(root, options);
  note_inputs_in_run_dir(config, options);
  return options;
}

}  // namespace

Options read_options(const config::Config& config) {
  Options options = read_all(config);
  config.finish();
  return options;
}

std::vector<config::KnownKey> config_keys() {
  const auto config = config::Config::parse("append: [{}]\ndecode: [{}]", "config");
  read_all(config);
  return config.known();
}

bool Options::decodes_subsets() const {
  return std::any_of(decode.begin(), decode.end(), [](const DecodeOptions& decoding) {
    return decoding.knn && decoding.mode != KnnMode::plain;
  });
}

}  // namespace knnseq::stages
