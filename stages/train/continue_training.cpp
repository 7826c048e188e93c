#include "stages/train/continue_training.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/add/add.hpp"
#include "stages/append/measure.hpp"
#include "stages/plan/planned_time.hpp"
#include "stages/shared/inputs/put_in_place.hpp"
#include "stages/shared/plan/planned_bytes.hpp"
#include "stages/shared/sample/read_sample.hpp"
#include "stages/shared/shards/built_datastore.hpp"
#include "stages/shared/training/codebook_training.hpp"
#include "stages/shared/training/train_on_keys.hpp"

namespace knnseq::stages {

namespace {

void require_trainable(const Options& options, const BuiltDatastore& datastore) {
  if (!options.foreign.index.empty()) {
    throw core::InputError(
        "import.index",
        "is a codebook of its own: take it out of the config, then 'train --continue' "
        "makes one in its place");
  }
  for (const auto& built : datastore.corpora) {
    require_keys(built.datastore, "train --continue (of the corpus " + name_of(built) + ")");
  }
}

/// Times that are known: of plan.rates, or of this run directory's own stages.
std::optional<Rates> find_rates(const runtime::StageContext& context, const Options& options) {
  if (!options.plan.rates.empty()) return read_rates(options.plan.rates);
  try {
    return rates_of_run(context.run_dir);
  } catch (const core::InputError&) {  // its stages were made elsewhere
    return std::nullopt;
  }
}

/// Says what it will take, before it begins.
void print_cost(runtime::StageContext& context, const Options& options,
                const BuiltDatastore& datastore, const index::IndexSpec& spec) {
  Needs needs;
  needs.index = spec;
  needs.width = spec.d_in;
  std::int64_t read = 0;
  for (const auto& built : datastore.corpora) {
    needs.corpus += {built.corpus.sentences, 0, built.entries(), false};
    read += built.entries() * spec.d_in * bytes_of(built.datastore.made_from.keys);
  }
  const std::int64_t files = std::ssize(datastore.corpora) * options.shards;
  const std::int64_t written = index_bytes(needs) + (files + 1) * codebook_bytes(spec);
  std::string time = "not known: no rates (plan.rates)";
  comm::agree(context.comm, [&] {
    if (!context.comm.is_root()) return;
    const auto rates = find_rates(context, options);
    if (!rates) return;
    const auto ranks = context.comm.size();
    const auto training = planned_seconds("train", options, needs, ranks, *rates);
    const auto coding = planned_seconds("add", options, needs, ranks, *rates);
    if (training && coding) time = "about " + obs::as_duration(*training + *coding);
  });
  context.log.info(fmt::format(
      "a codebook of {} entries of {} corpora, and their index: reads {} of keys, writes {} beside "
      "the index that is there until it is replaced; time {}",
      obs::with_commas(datastore.entries()), datastore.corpora.size(), obs::as_bytes(read),
      obs::as_bytes(written), time));
}

/// What the codebook is made from, as train_on_keys() says it of the first corpus.
core::Json codebook_inputs(runtime::StageContext& context, const Options& options,
                           const BuiltDatastore& datastore, const index::IndexSpec& spec,
                           const SampleSpec& sample) {
  core::Json inputs = {{"datastore", datastore.first().datastore.identity},
                       {trained_together, core::Json::array()},
                       {"factory", spec.factory()},
                       {"metric", options.index.metric},
                       {"device", context.placement.device.name()},
                       {"threads", options.threads}};
  for (const auto& built : datastore.corpora) {
    if (built.paths.appended()) inputs[trained_together].push_back(built.datastore.identity);
  }
  inputs.update(sample_inputs(sample));
  inputs.update(training_inputs(options.index.training));
  return inputs;
}

/// What was made from the old indexes.
std::vector<std::string> made_of_indexes(const runtime::StageContext& context,
                                         const BuiltDatastore& datastore) {
  std::vector<std::string> dropped;
  const auto drop = [&](const std::filesystem::path& folder) {
    const auto more = stage_folders_in(context.run_dir, folder);
    dropped.insert(dropped.end(), more.begin(), more.end());
  };
  for (const auto& built : datastore.corpora) {
    drop(built.paths.pruned);
    if (built.paths.appended()) drop(built.paths.made_by("measure"));
  }
  drop(Folders(context.run_dir).exported);
  return dropped;
}

/// How well the codebook fits the corpora that were appended.
void measure_appended(runtime::StageContext& context, const Options& options,
                      const BuiltDatastore& datastore) {
  for (const auto& built : datastore.corpora) {
    if (built.paths.appended()) measure(context, options, built.paths, datastore);
  }
}

}  // namespace

void continue_training(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("train");
  corpus_manifest(context, options);
  const BuiltDatastore datastore =
      read_whole_datastore(context, first_corpus(options), appended_corpora(options));
  const auto& first = datastore.first();
  index::IndexSpec spec;
  comm::agree(context.comm, [&] {
    require_trainable(options, datastore);
    spec = index::parse_index_spec(options.index.factory, first.datastore.keys.width,
                                   options.index.metric);
    options.index.training.validate();
  });
  std::vector<SamplePart> parts;
  for (const auto& built : datastore.corpora) {
    parts.push_back({SampledDatastore::of(built.paths, built.corpus, built.datastore),
                     built.paths.first_entry});
  }
  const SampleSpec& sample = options.datastore.sample;
  const auto inputs = codebook_inputs(context, options, datastore, spec, sample);
  const StageRef old = first.paths.step("train");
  if (read_on_root(context, old, [](const store::Manifest&) {}).inputs == inputs) {
    context.log.info("the codebook is that of all corpora already");
    measure_appended(context, options, datastore);  // which a kill may have prevented
    return;
  }
  print_cost(context, options, datastore, spec);

  const ReplacementFolders folders(context.run_dir, retraining);
  comm::on_root(context.comm, [&] { open_next(folders, inputs); });
  if (context.force == runtime::StageContext::Force::no) {
    context.force = runtime::StageContext::Force::changed;  // of what lies in retrain/next
  }
  Replacement replacement;
  const auto codebook = folders.next_of(old.folder);
  const auto note = [&](const std::filesystem::path& folder) {
    replacement.replaced.push_back(folder.lexically_relative(context.run_dir).string());
  };
  runtime::run_stage(context,
                     {old.stage, codebook, inputs,
                      [&] {
                        return train_in_folder(
                            context, codebook,
                            {.spec = spec,
                             .options = options.index.training,
                             .sample = std::min(sample.size, datastore.entries()),
                             .value_bytes = bytes_of(joint_type(parts))},
                            [&] { return read_joint_sample(context, parts, sample, spec.d_in); });
                      },
                      training_files()});
  remove_checkpoint(context, codebook);
  note(old.folder);
  for (const auto& built : datastore.corpora) {
    auto paths = built.paths;
    paths.codebook = codebook;
    paths.index = folders.next_of(paths.index);
    add(context, options, paths);
    note(built.paths.index);
  }
  comm::on_root(context.comm, [&] {
    replacement.dropped = made_of_indexes(context, datastore);
    make_ready(folders, replacement);
    put_in_place(folders);
    std::error_code not_empty;
    std::filesystem::remove(folders.folder, not_empty);
  });
  context.log.set_stage("train");
  context.log.info("the new codebook and the indexes made with it are in their places");
  measure_appended(context, options,
                   read_whole_datastore(context, first_corpus(options), appended_corpora(options)));
}

}  // namespace knnseq::stages
