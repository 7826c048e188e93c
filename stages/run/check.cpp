#include "stages/run/check.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "index/core/index_spec.hpp"
#include "model/load_model.hpp"
#include "model/sentence_encoder.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/long_work.hpp"
#include "runtime/run_directory.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/import/foreign_features.hpp"
#include "stages/partition/partition.hpp"
#include "stages/run/room_check.hpp"
#include "stages/run/text_check.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/options/inputs_outside.hpp"
#include "stages/shared/search/built_subset.hpp"
#include "stages/shared/search/open_search.hpp"
#include "stages/stage_table.hpp"
#include "stages/subset/subset.hpp"
#include "text/files/line_filter.hpp"

namespace knnseq::stages {

namespace {

namespace fs = std::filesystem;

/// What other checks build on, where it could be had.
struct ModelFacts {
  std::unique_ptr<text::Tokenizer> tokenizer;
  std::optional<model::ModelInfo> info;
  std::int64_t bytes = 0;  ///< of all models' weights
};

/// Opens tokeniser and models. With all of the scope rank 0 loads each model as it will be used.
ModelFacts check_models(runtime::StageContext& context, const Options& options, CheckScope scope,
                        Problems& problems) {
  ModelFacts facts;
  problems.look([&] { facts.tokenizer = open_tokenizer(options); });
  for (const auto& path : options.models) {
    problems.look([&] {
      for (const auto& file : model::model_files(path)) {
        facts.bytes += static_cast<std::int64_t>(fs::file_size(file));
      }
      model::check_weights(path);
    });
  }
  if (!facts.tokenizer) return facts;
  Options described = options;
  if (scope == CheckScope::inputs) {  // whether a dtype can be used is for the machine to say
    described.datastore.dtype = "auto";
    for (auto& decoding : described.decode) decoding.dtype = "auto";
  }
  problems.look([&] { facts.info = describe_model(context, described, *facts.tokenizer); });
  if (scope == CheckScope::inputs) return facts;
  for (const auto& decoding : options.decode) {
    for (const auto& path : options.models) {
      problems.look([&] { model::read_model_info(path, model_options(context, decoding.dtype)); });
    }
  }
  if (!context.comm.is_root() || !facts.info) return facts;
  for (const auto& path : options.models) {
    problems.look(
        [&] { model::load_model(path, model_options(context, options.datastore.dtype)); });
  }
  return facts;
}

/// The index types; returns that of the datastore, if it can be made.
std::optional<index::IndexSpec> check_indexes(const Options& options, std::int64_t width,
                                              Problems& problems) {
  std::optional<index::IndexSpec> spec;
  problems.look(
      [&] { spec = index::parse_index_spec(options.index.factory, width, options.index.metric); });
  problems.look([&] { options.index.training.validate(); });
  for (const auto& decoding : options.decode) {
    if (!spec || !decoding.knn || decoding.mode != KnnMode::plain) continue;
    problems.look([&] { require_enough_lists(decoding.search, spec->nlist); });
    if (decoding.search.probing == index::Probing::hnsw && spec->coarse_edges == 0) {
      problems.note(fmt::format("knn.probing: hnsw needs lists with a graph; the index is {}",
                                spec->factory()));
    }
  }
  for (const auto& factory : options.sweep.indexes) {
    if (options.sweep.source.empty()) break;
    problems.look([&] {
      try {
        index::parse_index_spec(factory, width, options.index.metric);
      } catch (const core::InputError& e) {
        throw core::InputError("sweep.indexes", e.what());
      }
    });
  }
  return spec;
}

bool tunes_subsets(const Options& options) {
  return options.tune.subsets() && !options.tune.decoding.source.empty();
}

void check_subset(const Options& options, CheckScope scope, std::int64_t width,
                  Problems& problems) {
  if (!options.decodes_subsets() && !tunes_subsets(options)) return;
  problems.look([&] { codes_spec(options, width); });
  const auto& subset = options.subset;
  if (options.foreign.on() && !(subset.has_vectors() && !options.foreign.sentences.empty())) {
    problems.look([&] {
      CorpusManifest imported;
      imported.imported = true;
      require_similar_sentences(imported, {}, subset);
    });
    return;
  }
  if (!subset.has_vectors()) return;
  std::optional<std::int64_t> sentence_width = width;
  if (subset.encoder == SentenceEncoder::torchscript) {
    sentence_width.reset();
    problems.look([&] {
      model::model_files(subset.model);
      if (scope == CheckScope::all) sentence_width = model::SentenceEncoder(subset.model).width();
    });
  } else if (!options.datastore.sentence_keys && !options.foreign.on()) {
    problems.note(
        "subset.encoder: mean needs the sentence keys that encode writes unless "
        "datastore.sentence_keys is false; or use bm25 or tfidf");
  }
  if (!sentence_width) return;
  problems.look([&] {
    const auto spec = index::parse_index_spec(subset.index, *sentence_width, subset.metric);
    if (spec.nlist > 0 && subset.nprobe > spec.nlist) {
      throw core::InputError(
          fmt::format("subset.nprobe {} is more than the sentence index's {} lists", subset.nprobe,
                      spec.nlist));
    }
    if (subset.sample < spec.least_sample()) {
      throw core::InputError(fmt::format("subset.sample {} is less than the {} that {} needs",
                                         subset.sample, spec.least_sample(), spec.factory()));
    }
  });
}

/// What items of decode name beside their texts: networks, gates and other datastores.
void check_decodings(const Options& options, Problems& problems) {
  for (const auto& decoding : options.decode) {
    problems.look([&] { decoding.beam.validate(); });
    if (!decoding.knn) continue;
    problems.look([&] { decoding.search.validate(); });
    if (decoding.mode != KnnMode::memory) {
      problems.look([&] { decoding.interpolation.validate(decoding.search.k); });
    }
    for (const auto& run_dir : decoding.datastores) {
      if (lies_in(run_dir, options.run_dir)) continue;  // which this run makes
      const auto step = first_corpus(options, run_dir).step("add");
      problems.look([&] { runtime::require_manifest(step.folder, step.stage, step.command); });
    }
  }
}

/// What evaluate will need: BLEU's tokeniser.
void check_evaluation(const Options& options, Problems& problems) {
  const bool scored = std::ranges::any_of(
      options.decode, [](const DecodeOptions& item) { return item.reference.has_value(); });
  if (!scored && options.tune.decoding.source.empty()) return;
  problems.look([&] { metrics::make_bleu_tokenizer(options.evaluate.tokenization()); });
}

void check_filters(runtime::StageContext& context, const Options& options, Problems& problems) {
  runtime::agree_on_long_work(context, [&] {
    if (!context.comm.is_root()) return;
    for (const auto& command :
         {options.preprocess.source, options.preprocess.target, options.postprocess}) {
      problems.look([&] { text::try_filter(command); });
    }
  });
}

/// Keys and values of another program. Rank 0 reads the lengths of all sentences.
void count_imported(const runtime::StageContext& context, const Options& options,
                    const model::ModelInfo& model, Needs& needs, Problems& problems) {
  if (!options.foreign.on()) return;
  problems.look([&] {
    const ForeignStore store(options.foreign, {model.width, model.vocab_size});
    ForeignSentences sentences(options.foreign, store);
    const auto lines = sentences.lines();
    needs.corpus += {lines, lines, store.entries(), false};
    needs.imported = store.key_type();
    if (context.comm.is_root()) sentences.find_batches();
    if (options.foreign.sentences.empty()) return;
    const ForeignFeatures features(options.foreign, sentences);
    require_feature_width(options, features, model);
    needs.imported_sentence_width = features.width();
  });
}

std::string describe_corpus(const CorpusSize& corpus) {
  return fmt::format("{} sentence pairs, {}{} entries", obs::with_commas(corpus.sentences),
                     corpus.estimated ? "about " : "", obs::with_commas(corpus.entries));
}

}  // namespace

Needs count_needs(runtime::StageContext& context, const Options& options, bool counts_text) {
  Problems problems;
  const ModelFacts model = check_models(context, options, CheckScope::inputs, problems);
  Needs needs;
  if (counts_text) needs.corpus = check_corpora(context, options, model.tokenizer.get(), problems);
  if (model.info) {
    needs.width = model.info->width;
    const auto spec = check_indexes(options, needs.width, problems);
    if (spec) needs.index = *spec;
    if (counts_text) count_imported(context, options, *model.info, needs, problems);
  }
  needs.model_bytes = model.bytes;
  problems.report(context.comm);
  return needs;
}

Needs check_run(runtime::StageContext& context, const Options& options, CheckScope scope) {
  auto& comm = context.comm;
  context.log.set_stage("run");
  Problems problems;
  const auto on_root = [&](const auto& work) {
    if (comm.is_root()) work();
  };
  on_root([&] {
    problems.look([&] {
      runtime::require_run_directory(options.run_dir, runtime::RunDirectoryUse::write,
                                     stage_folders());
    });
  });
  const ModelFacts model = check_models(context, options, scope, problems);
  check_filters(context, options, problems);
  Needs needs;
  needs.corpus = check_corpora(context, options, model.tokenizer.get(), problems);
  if (model.info) count_imported(context, options, *model.info, needs, problems);
  on_root([&] {
    check_test_sets(options, problems);
    check_decodings(options, problems);
    check_evaluation(options, problems);
  });
  std::optional<index::IndexSpec> spec;
  if (model.info) {
    spec = check_indexes(options, model.info->width, problems);
    on_root([&] { check_subset(options, scope, model.info->width, problems); });
  }
  problems.report(comm);

  // Sizes can be told only if everything is there.
  needs.width = model.info->width;
  needs.model_bytes = model.bytes;
  needs.index = *spec;
  std::string found = describe_corpus(needs.corpus);
  on_root([&] {
    problems.look([&] { require_sample(options, *spec, needs.corpus.entries); });
    found += "; " + check_disk(options, needs, problems);
  });
  if (scope == CheckScope::all) found += ", " + check_memory(context, options, needs, problems);
  problems.report(comm);
  context.log.info("all that the stages need is there: " + found);
  return needs;
}

}  // namespace knnseq::stages
