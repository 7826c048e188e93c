#include "stages/sweep/sweep.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "obs/terminal.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/sweep/measure_grid.hpp"
#include "stages/sweep/plot.hpp"
#include "stages/sweep/report.hpp"

namespace knnseq::stages {

namespace {

constexpr std::array report_files = {"sweep.json", "sweep.csv", "sweep.svg"};

/// The grid's indexes, each once. Throws core::InputError naming the one that is not understood.
std::vector<index::IndexSpec> parse_specs(const Options& options, std::int64_t width) {
  std::vector<index::IndexSpec> specs;
  for (const auto& factory : options.sweep.indexes) {
    try {
      const auto spec = index::parse_index_spec(factory, width, options.index.metric);
      if (std::find(specs.begin(), specs.end(), spec) == specs.end()) specs.push_back(spec);
    } catch (const core::InputError& e) {
      throw core::InputError("sweep.indexes", e.what());
    }
  }
  return specs;
}

/// Throws core::InputError if the config would encode differently from the datastore.
void require_same_keys(const DatastoreManifest& datastore, const Options& options,
                       const core::Json& model) {
  const auto key = options.datastore.key.resolved(datastore.keys.decoder_layers);
  const core::Json before = datastore.made_from.to_json();
  const core::Json now = {{"model", model},
                          {"key", core::name_of(key.kind)},
                          {"layer", key.layer},
                          {"dtype", options.datastore.dtype}};
  for (const auto& [name, value] : now.items()) {
    const auto& made_with = before.at(name);
    if (made_with == value) continue;
    throw core::InputError(
        fmt::format("the datastore's keys were made with {} {}, the config says {}", name,
                    made_with.dump(), value.dump()));
  }
}

runtime::StageOutcome make_report(runtime::StageContext& context, const Options& options,
                                  std::vector<SweepRow> rows) {
  const auto folder = Folders(context.run_dir).sweep;
  runtime::StageOutcome outcome;
  outcome.work = {"indexes", context.comm.is_root() ? std::ssize(rows) : 0, 0};
  const SweepResult result{options.sweep.k, options.threads, options.index.metric, std::move(rows)};
  comm::on_root(context.comm, [&] {
    core::write_file_durably(folder / "sweep.json", core::Json(result).dump(1) + "\n");
    core::write_file_durably(folder / "sweep.csv", sweep_csv(result));
    core::write_file_durably(folder / "sweep.svg", sweep_plot(result));
    outcome.content["files"] =
        runtime::describe_files(folder, {report_files.begin(), report_files.end()});
  });
  return outcome;
}

}  // namespace

void sweep(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("sweep");
  auto& comm = context.comm;
  const auto& grid = options.sweep;
  const Folders folders(context.run_dir);
  comm::agree(comm, [&] {
    if (grid.source.empty()) {
      throw core::InputError("sweep.source and sweep.target are required: held-out text");
    }
  });
  const auto corpus = corpus_manifest(context, options);
  const auto datastore =
      manifest_of<DatastoreManifest>(context, first_corpus(options).step("encode"));
  const auto tokenizer = tokenizer_fingerprint(context, options);
  const auto model = model_fingerprint(context, options.models.front());
  const KeyFacts& made = datastore.keys;
  std::vector<index::IndexSpec> specs;
  comm::agree(comm, [&] {
    require_made_from({"corpus", datastore.made_from.corpus, "encode"}, corpus.identity);
    require_keys(datastore, "sweep");
    require_same_keys(datastore, options, model);
    if (corpus.tokenizer != tokenizer) {
      throw core::InputError("the datastore's corpus was tokenised otherwise than the config says");
    }
    specs = parse_specs(options, made.width);
    options.index.training.validate();
    if (grid.k.back() > made.entries) {
      throw core::InputError(fmt::format("sweep.k {} is more than the datastore's {} entries",
                                         grid.k.back(), made.entries));
    }
  });
  const auto sampled = SampledDatastore::of(first_corpus(options), corpus, datastore);
  const SampleSpec sample = options.datastore.sample.of(sampled.corpus.entries);
  core::Json inputs = {{"datastore", datastore.identity},
                       {"text", fingerprint_files(context, {grid.source, grid.target})},
                       {"indexes", core::Json::array()},
                       {"metric", options.index.metric},
                       {"nprobe", grid.nprobe},
                       {"ef_search", grid.ef_search},
                       {"shares", grid.shares},
                       {"k", grid.k},
                       {"queries", grid.queries},
                       {"query_seed", grid.seed},
                       {"device", context.placement.device.name()},
                       {"threads", options.threads}};
  for (const auto& spec : specs) inputs["indexes"].push_back(spec.factory());
  inputs.update(sample_inputs(sample));
  inputs.update(training_inputs(options.index.training));

  const KeySource keys{sampled, made.vocab_size, sample};
  auto files = grid_files();
  files.insert(files.end(), report_files.begin(), report_files.end());
  runtime::run_stage(
      context,
      {"sweep", folders.sweep, inputs,
       [&] { return make_report(context, options, measure_grid(context, options, specs, keys)); },
       files});
  comm::on_root(comm, [&] {
    remove_finished_rows(folders.sweep);  // only now that the manifest exists
    const SweepResult result = core::read_json(folders.sweep / "sweep.json");
    obs::print(fmt::format("\n{}", sweep_table(result)));
  });
}

}  // namespace knnseq::stages
