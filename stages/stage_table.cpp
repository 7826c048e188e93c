#include "stages/stage_table.hpp"

#include <algorithm>

#include "stages/add/add.hpp"
#include "stages/append/append.hpp"
#include "stages/decode/decode.hpp"
#include "stages/doctor/doctor.hpp"
#include "stages/encode/encode.hpp"
#include "stages/evaluate/evaluate.hpp"
#include "stages/export/export.hpp"
#include "stages/import/import.hpp"
#include "stages/inspect/inspect.hpp"
#include "stages/merge/merge.hpp"
#include "stages/partition/partition.hpp"
#include "stages/plan/plan.hpp"
#include "stages/prune/prune.hpp"
#include "stages/remove/remove.hpp"
#include "stages/report/report.hpp"
#include "stages/run/run.hpp"
#include "stages/serve/serve.hpp"
#include "stages/subset/subset.hpp"
#include "stages/sweep/sweep.hpp"
#include "stages/train/train.hpp"
#include "stages/translate/translate.hpp"
#include "stages/tune/tune.hpp"
#include "stages/verify/verify.hpp"

namespace knnseq::stages {

namespace {

using Context = runtime::StageContext;
using Keys = std::vector<std::string>;

/// Names of the config's items, as in `decode:`.
template <class T>
Items names_of(const std::vector<T>& all) {
  Items names;
  for (const auto& item : all) names.push_back(item.name);
  return names;
}

/// The items of a stage that `run` calls once, if at all.
Items once(bool wanted) { return wanted ? Items{""} : Items{}; }

/// Of the stages that make a datastore of text.
Items unless_imported(const Options& options) { return once(!options.foreign.on()); }

/// Of those that make its index.
Items unless_index_imported(const Options& options) {
  return once(!options.foreign.on() || options.foreign.index.empty());
}

bool has_own_encoder(const Options& options) {
  return options.subset.encoder == SentenceEncoder::torchscript;
}

/// Features of an imported datastore come with it.
bool encodes_sentences(const Options& options) {
  return has_own_encoder(options) && !options.foreign.on();
}

bool needs_log_probs(const Options& options) {
  return options.datastore.prune.probability && !options.datastore.log_probs;
}

bool has_sentence_vectors(const Options& options) { return options.subset.has_vectors(); }

bool has_reference(const Options& options) {
  return std::ranges::any_of(options.decode,
                             [](const auto& set) { return set.reference.has_value(); });
}

Keys operator+(Keys keys, const Keys& more) {
  keys.insert(keys.end(), more.begin(), more.end());
  return keys;
}

// Groups of keys that several stages read. The test e2e.stage_table compares the keys of each stage
// with the options that its code reads.
const Keys process = {"run_dir", "device", "threads", "timeout_seconds"};
const Keys tokens = {"tokenizer", "source_lang", "target_lang", "preprocess"};
const Keys key_of_entries = {"dtype", "datastore.key", "datastore.keys", "datastore.layer",
                             "datastore.dtype"};
const Keys sample = {"datastore.sample", "datastore.seed", "datastore.sample_unit"};
const Keys searches = {"dtype",         "append",         "knn", "beam_search", "subset",
                       "datastore.key", "datastore.layer"};

std::vector<Stage> make_table() {
  std::vector<Stage> stages = {
      {.name = "import",
       .help =
           "make a datastore of keys and values that another program has stored (docs/import.md)",
       .run = [](Context& context, const Options& options,
                 const Items&) { import_datastore(context, options); },
       .keys = process + tokens + sample + key_of_entries +
               Keys{"model", "shards", "import", "datastore.store", "index.factory", "index.metric",
                    "subset.encoder", "beam_search.dtype", "decode[].dtype"},
       .flags = {{"--keys", "import.keys", "", "a file of keys, such as keys.npy"},
                 {"--values", "import.values", "", "their values"},
                 {"--index", "import.index", "", "a faiss index of them"},
                 {"--sentences", "import.sentences", "", "features of the source sentences"},
                 {"--source-values", "import.source_values", "",
                  "knn-seq's values.bin of these, for their order"}},
       .force = Force::changed,
       .items = [](const Options& options) { return once(options.foreign.on()); }},
      {.name = "partition",
       .help = "tokenise the corpus and distribute it over the shards",
       .run = [](Context& context, const Options& options,
                 const Items&) { partition(context, options, first_corpus(options)); },
       .folders = {{"corpus", "partition"}},
       .keys = process + tokens + key_of_entries +
               Keys{"model", "shards", "corpus", "datastore.store", "datastore.sample",
                    "index.factory", "index.metric", "knn.nprobe", "beam_search.dtype",
                    "decode[].knn", "decode[].nprobe", "decode[].dtype"},
       .items = unless_imported},
      {.name = "encode",
       .help = "compute the datastore's keys",
       .run = [](Context& context, const Options& options,
                 const Items&) { encode(context, options, first_corpus(options)); },
       .folders = {{"datastore", "encode"}},
       .keys = process + tokens + sample + key_of_entries +
               Keys{"model", "shards", "datastore.store", "datastore.sentence_keys",
                    "beam_search.dtype", "decode[].dtype"},
       .items = unless_imported},
      {.name = "train",
       .help = "train the codebook (rotation, coarse centroids, product quantiser)",
       .run = [](Context& context, const Options& options,
                 const Items&) { train(context, options); },
       .folders = {{"codebook", "train"}},
       .keys = process + tokens + sample + key_of_entries +
               Keys{"model", "shards", "index", "train", "append", "import", "plan",
                    "datastore.store", "datastore.prune", "datastore.sentence_keys",
                    "beam_search.dtype", "decode[].dtype"},
       .flags = {{"--continue", "train.continue", "true",
                  "a new codebook of all corpora, and their index (docs/corpora.md)"}},
       .items = unless_index_imported},
      {.name = "add",
       .help = "assign and code the keys: one faiss file a shard",
       .run = [](Context& context, const Options& options,
                 const Items&) { add(context, options, first_corpus(options)); },
       .folders = {{"index", "add"}},
       .keys = process + tokens + key_of_entries +
               Keys{"model", "shards", "datastore.store", "datastore.sentence_keys",
                    "beam_search.dtype", "decode[].dtype"},
       .items = unless_index_imported},
      {.name = "prune",
       .help = "leave entries out of the index that it can do without (datastore.prune)",
       .run =
           [](Context& context, const Options& options, const Items&) {
             prune(context, options, first_corpus(options));
             if (options.datastore.prune.measure) measure_pruning(context, options);
           },
       .folders = {{"pruned/log-probs", "prune-log-probs", needs_log_probs},
                   {"pruned/index", "prune"},
                   {"pruned/*", "prune-*"}},
       .keys =
           process + tokens + key_of_entries +
           Keys{"model", "shards", "datastore.store", "datastore.sentence_keys",
                "datastore.log_probs", "datastore.prune", "beam_search.dtype", "decode[].dtype"},
       .items = [](const Options& options) { return once(options.datastore.prune.on()); }},
      {.name = "append",
       .help = "the same for more text, under that codebook",
       .run = [](Context& context, const Options& options,
                 const Items& names) { append(context, options, names); },
       .folders = {{"append/*/corpus", "append-*-partition"},
                   {"append/*/datastore", "append-*-encode"},
                   {"append/*/index", "append-*-add"},
                   {"append/*/pruned/log-probs", "append-*-prune-log-probs"},
                   {"append/*/pruned/index", "append-*-prune"},
                   {"append/*/measure", "append-*-measure"}},
       .keys = process + tokens + sample + key_of_entries +
               Keys{"model", "shards", "append", "corpus.bad_pairs", "corpus.max_tokens",
                    "datastore.store", "datastore.sentence_keys", "index.factory", "index.metric",
                    "knn.nprobe", "beam_search.dtype", "decode[].knn", "decode[].nprobe",
                    "decode[].dtype"},
       .names = Names::ordered,
       .force = Force::changed,
       .items = [](const Options& options) { return names_of(options.append); }},
      {.name = "remove",
       .help = "take appended corpora, or single pairs (--lines), out again",
       .run = [](Context& context, const Options& options,
                 const Items& names) { remove(context, options, names); },
       .folders = {{"remove", "remove"}},
       .keys = process + Keys{"shards", "append", "datastore.prune", "remove"},
       .names = Names::chosen,
       .flags = {{"--lines", "remove.lines", "",
                  "a file that lists pairs: corpus<TAB>line (docs/corpora.md)"}},
       .force = Force::nothing},
      {.name = "merge",
       .help = "make one run directory of several that have the same model",
       .run = [](Context& context, const Options& options,
                 const Items& folders) { merge(context, options, folders); },
       .folders = {{"merge", "merge"}},
       .keys = process + tokens + key_of_entries +
               Keys{"model", "shards", "datastore.store", "datastore.prune",
                    "datastore.sentence_keys", "beam_search.dtype", "decode[].dtype"},
       .names = Names::run_directories,
       .flags = {{"--into", "run_dir", "", "the run directory that is made"}},
       .force = Force::nothing},
      {.name = "subset",
       .help = "what decode needs for subset kNN: a sentence index, and codes of all keys",
       .run = [](Context& context, const Options& options,
                 const Items&) { subset(context, options); },
       .folders = {{"subset/vectors", "subset-encode-sentences", encodes_sentences},
                   {"subset/sentence-codebook", "subset-train-sentences", has_sentence_vectors},
                   {"subset/sentence-index", "subset-index-sentences", has_sentence_vectors},
                   {"subset/codebook", "subset-train-codes"},
                   {"subset/codes", "subset-code"},
                   {"append/*/subset/vectors", "append-*-subset-encode-sentences", has_own_encoder},
                   {"append/*/subset/sentence-index", "append-*-subset-index-sentences",
                    has_sentence_vectors},
                   {"append/*/subset/codes", "append-*-subset-code"}},
       .keys =
           process + sample +
           Keys{"tokenizer", "source_lang", "target_lang", "shards", "append", "index", "subset"},
       .items = [](const Options& options) { return once(options.decodes_subsets()); }},
      {.name = "decode",
       .help = "translate the test sets of the config",
       .run = [](Context& context, const Options& options,
                 const Items& names) { decode(context, options, names); },
       .folders = {{"decode/*", "decode-*"}},
       .keys = process + tokens + searches + Keys{"model", "shards", "postprocess", "decode"},
       .names = Names::independent,
       .run_directory = RunDirectory::write,
       .items = [](const Options& options) { return names_of(options.decode); }},
      {.name = "evaluate",
       .help = "BLEU and chrF of what was decoded",
       .run = [](Context& context, const Options& options,
                 const Items&) { evaluate(context, options); },
       .folders = {{"evaluate", "evaluate"}},
       .keys = process + Keys{"evaluate", "decode[].name", "decode[].reference"},
       .force = Force::nothing,
       .run_directory = RunDirectory::write,
       .items = [](const Options& options) { return once(has_reference(options)); }},
      {.name = "inspect",
       .help = "one test sentence and the neighbours that changed it",
       .run = [](Context& context, const Options& options,
                 const Items&) { inspect(context, options); },
       .keys = process + tokens + searches + Keys{"model", "shards", "decode", "inspect"},
       .flags = {{"--json", "inspect.json", "true", "print the trace as JSON (docs/trace.md)"},
                 {"--html", "inspect.html", "", "write a page of all lines (docs/page.md)"}},
       .force = Force::nothing,
       .run_directory = RunDirectory::read},
      {.name = "translate",
       .help = "translate lines of standard input as they come",
       .run = [](Context& context, const Options& options,
                 const Items& names) { translate_stdin(context, options, names); },
       .keys = process + tokens + searches +
               Keys{"model", "shards", "postprocess", "decode", "index.metric", "translate"},
       .names = Names::independent,
       .flags = {{"--jsonl", "translate.jsonl", "true",
                  "one JSON object a line, in and out (docs/translate.md)"}},
       .force = Force::nothing,
       .run_directory = RunDirectory::read},
      {.name = "serve",
       .help = "the same by HTTP",
       .run = [](Context& context, const Options& options,
                 const Items& names) { serve(context, options, names); },
       .keys = process + tokens + searches +
               Keys{"model", "shards", "postprocess", "decode", "index.metric", "serve"},
       .names = Names::independent,
       .flags = {{"--listen", "serve.listen", "", "address and port, such as 127.0.0.1:8080"}},
       .force = Force::nothing,
       .run_directory = RunDirectory::read},
      {.name = "export",
       .help = "all shards as one faiss file with a values.npy, for Python",
       .run = [](Context& context, const Options& options,
                 const Items&) { export_datastore(context, options); },
       .folders = {{"export", "export"}},
       .keys = process + Keys{"shards", "append", "datastore.prune"},
       .run_directory = RunDirectory::write},
      {.name = "sweep",
       .help = "recall, memory and speed of a grid of indexes on held-out text",
       .run = [](Context& context, const Options& options,
                 const Items&) { sweep(context, options); },
       .folders = {{"sweep", "sweep"}},
       .keys =
           process + tokens + sample + key_of_entries + Keys{"model", "shards", "index", "sweep"},
       .run_directory = RunDirectory::write},
      {.name = "tune",
       .help = "the best kNN settings of a grid, on a validation set",
       .run = [](Context& context, const Options& options,
                 const Items&) { tune(context, options); },
       .folders = {{"tune", "tune"},
                   {"tune/*", "tune-*"},
                   {"tune-subset", "tune"},
                   {"tune-subset/*", "tune-*"}},
       .keys =
           process + tokens + searches + Keys{"model", "shards", "postprocess", "tune", "evaluate"},
       .force = Force::changed,
       .run_directory = RunDirectory::write},
      {.name = "report",
       .help = "a page of what the run directory holds and how it was made",
       .run = [](Context& context, const Options&, const Items&) { report(context); },
       .keys = process,
       .force = Force::nothing,
       .run_directory = RunDirectory::read},
      {.name = "verify",
       .help = "compare every file of the run directory with its checksums",
       .run = [](Context& context, const Options&, const Items&) { verify(context); },
       .keys = process,
       .force = Force::nothing,
       .run_directory = RunDirectory::verify},
      {.name = "plan",
       .help = "what a run will take of disk, memory and time",
       .run = [](Context& context, const Options& options,
                 const Items&) { plan(context, options); },
       .flags = {{"--entries", "plan.entries", "", "of a corpus that is not there yet"},
                 {"--ranks", "plan.ranks", "", "of the run, if not as many as plan has"},
                 {"--nodes", "plan.nodes", "", "of the run, likewise"},
                 {"--node-memory", "plan.node_memory", "", "GiB, if not what is free here"},
                 {"--rates", "plan.rates", "", "of 'plan --measure', or a finished run directory"},
                 {"--measure", "plan.measure", "", "take rates by a short run; write them there"}},
       .force = Force::nothing,
       .run_directory = RunDirectory::untouched},
      {.name = "doctor",
       .help = "report build, hardware and misconfiguration",
       .run =
           [](Context& context, const Options& options, const Items&) {
             doctor(context.comm, {options.device, options.threads});
           },
       .keys = {"device", "threads"},
       .force = Force::nothing,
       .run_directory = RunDirectory::none},
      {.name = "run",
       .help = "all of partition … evaluate, skipping what is done",
       .run = [](Context& context, const Options& options, const Items&) { run(context, options); },
       .force = Force::changed},
  };
  Keys& of_run = stages.back().keys;
  of_run = {"sweep", "tune"};  // whose inputs it looks at before it begins
  for (const auto& stage : stages) {
    if (stage.items) of_run = of_run + stage.keys;
  }
  std::ranges::find(stages, "plan", &Stage::name)->keys = of_run + Keys{"plan"};
  return stages;
}

}  // namespace

std::span<const Stage> stage_table() {
  static const std::vector<Stage> stages = make_table();
  return stages;
}

std::string with_item(std::string pattern, const std::string& item) {
  const auto star = pattern.find('*');
  return star == pattern.npos ? pattern : pattern.replace(star, 1, item);
}

std::string step_in(const std::string& folder) {
  for (const auto& stage : stage_table()) {
    for (const auto& [pattern, step, wanted] : stage.folders) {
      if (pattern == folder) return step;
      const auto star = pattern.find('*');
      if (star == pattern.npos) continue;
      const auto after = pattern.size() - star - 1;
      if (folder.size() < star + after) continue;
      const auto item = folder.substr(star, folder.size() - star - after);
      if (item.find('/') == item.npos && with_item(pattern, item) == folder) {
        return with_item(step, item);
      }
    }
  }
  return "";
}

std::vector<std::string> stage_folders() {
  std::vector<std::string> names;
  for (const auto& stage : stage_table()) {
    for (const auto& owned : stage.folders) {
      names.push_back(owned.folder.substr(0, owned.folder.find('/')));
    }
  }
  return names;
}

}  // namespace knnseq::stages
