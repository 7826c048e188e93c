#include "stages/import/import_index.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/input_file.hpp"
#include "core/json_field.hpp"
#include "core/parse_json.hpp"
#include "index/faiss_io/foreign_index.hpp"
#include "index/faiss_io/index_builder.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "index/train/quantization_error.hpp"
#include "runtime/input_files.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/key_type.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/training/train_on_keys.hpp"
#include "stages/shared/training/trained_codebook.hpp"

namespace knnseq::stages {

namespace {

constexpr const char* codebook_name = "codebook.faiss";
/// Entries that must find themselves, and how many of them: where text repeats itself, some keys
/// differ by less than their codes do.
constexpr std::int64_t checked_entries = 256;
constexpr double least_found = 0.8;

index::ForeignIndex open_index(const Options& options, const Origin& origin) {
  const auto& paths = options.foreign.index;
  const auto parts = origin.store->parts();
  std::vector<index::ForeignIndexFile> files;
  if (paths.size() == 1) {
    files.push_back({paths.front(), {0, origin.store->entries()}});
  } else {
    if (paths.size() != parts.size()) {
      throw core::InputError(fmt::format(
          "import.index: one file of all keys, or one for each of their {} files; there are {}",
          parts.size(), paths.size()));
    }
    for (std::size_t i = 0; i < paths.size(); ++i) files.push_back({paths[i], parts[i]});
  }
  const auto metric = core::value_named<index::Metric>(options.index.metric);
  return {files, metric.value_or(index::Metric::l2)};
}

/// A file does not say for how many sub-vectors OPQ was trained; what it is searched by is equal.
void require_configured(const Options& options, const index::Codebook& codebook) {
  auto wanted =
      index::parse_index_spec(options.index.factory, codebook.spec.d_in, options.index.metric);
  wanted.opq_m = codebook.spec.opq_m;
  if (wanted == codebook.spec) return;
  throw core::InputError(
      fmt::format("index.factory is {}, the imported index is {}: write that into the config",
                  options.index.factory, codebook.spec.factory()));
}

/// knn-seq keeps the settings of INDEX.bin in INDEX.json: {"backend": "faiss", "metric": "l2",
/// "ivf_lists": …}. Another file of that name is none of ours.
void require_own_settings(const std::filesystem::path& path, const Options& options,
                          const index::IndexSpec& spec) {
  const auto file = std::filesystem::path(path).replace_extension(".json");
  if (file == path || !std::filesystem::exists(file)) return;
  const auto json =
      core::parse_json(core::read_whole(file, core::most_model_file_bytes), file.string());
  const core::JsonField settings(file.string(), json);
  if (!settings.is_object() || !settings.has("backend") || !settings.has("ivf_lists")) return;
  if (const auto& metric = settings.at("metric").text(); metric != options.index.metric) {
    settings.at("metric").refuse(
        fmt::format("is {}, index.metric {}", metric, options.index.metric));
  }
  const auto require = [&](const char* name, std::int64_t found) {
    const auto said =
        settings.at(name).number(std::numeric_limits<int>::min(), std::numeric_limits<int>::max());
    if (said == found) return;
    settings.at(name).refuse(fmt::format("is {}, but {} has {}: is it that of another index?", said,
                                         path.filename().string(), found));
  };
  require("ivf_lists", spec.nlist);
  require("hnsw_edges", spec.coarse_edges);
  require("pq_subvec", spec.m);
  const auto transformed = [&](const char* name, index::Transform transform) {
    if (settings.at(name).flag() == (spec.transform == transform)) return;
    settings.at(name).refuse(
        fmt::format("does not fit {}, which is {}: is it that of another index?",
                    path.filename().string(), spec.factory()));
  };
  transformed("use_opq", index::Transform::opq);
  transformed("use_pca", index::Transform::pca);
  if (spec.d_out != spec.d_in) require("transform_dim", spec.d_out);
}

/// Whether a sample of the keys finds itself among the codes of the same sample.
void require_own_keys(const index::ForeignIndex& index, const ForeignStore& store,
                      const std::filesystem::path& path) {
  const auto count = std::min(checked_entries, store.entries());
  std::vector<std::int64_t> rows;
  const auto type = scalar_type_of(store.key_type());
  at::Tensor keys = at::empty({count, store.width()}, type);
  for (std::int64_t i = 0; i < count; ++i) {
    rows.push_back(core::even_part(store.entries(), i, count).begin);
    const at::Tensor key = keys[i];
    store.read_keys({rows.back(), rows.back() + 1},
                    {static_cast<std::byte*>(key.mutable_data_ptr()), key.nbytes()});
  }
  const index::CodedEntries coded = index.entries_of(rows);
  const at::Tensor order = at::argsort(coded.ids);
  const at::Tensor decoded = index::decode_entries(
      index.codebook(), coded.codes.index_select(0, order),
      coded.lists.defined() ? coded.lists.index_select(0, order) : at::Tensor());
  const at::Tensor distances = at::cdist(
      index::rotate_vectors(index.codebook(), keys).to(at::kDouble), decoded.to(at::kDouble));
  const at::Tensor own = distances.diagonal();
  const auto found = own.le(std::get<0>(distances.min(1)) * (1 + 1e-6) + 1e-12).sum();
  if (found.item<double>() >= least_found * static_cast<double>(count)) return;
  throw core::InputError(
      path, fmt::format("is not an index of these keys: of {} keys only {} are nearest to their "
                        "own codes. Is it that of another file, or are its rows in another order?",
                        count, found.item<std::int64_t>()));
}

runtime::StageOutcome make_codebook(runtime::StageContext& context, const Options& options,
                                    const std::filesystem::path& folder, const Origin& origin) {
  runtime::StageOutcome outcome;
  comm::on_root(context.comm, [&] {
    const auto index = open_index(options, origin);
    const index::Codebook& codebook = index.codebook();
    require_configured(options, codebook);
    for (const auto& path : options.foreign.index) {
      require_own_settings(path, options, codebook.spec);
    }
    index.require_complete();
    require_own_keys(index, *origin.store, options.foreign.index.front());
    index::write_codebook(folder / codebook_name, codebook);
    outcome.content = CodebookFacts{codebook.spec.factory(), codebook.spec.nlist}.to_json();
    outcome.content["checksum"] = index::checksum(codebook);
    outcome.content["files"] = runtime::describe_files(folder, {codebook_name});
    outcome.work = {"files", 1, outcome.content["files"][codebook_name]["bytes"]};
  });
  return outcome;
}

runtime::StageOutcome divide_index(runtime::StageContext& context, const Options& options,
                                   const CorpusPaths& paths, const Origin& origin) {
  const auto corpus = corpus_manifest(context, options, paths);
  std::optional<index::ForeignIndex> index;
  index::Codebook codebook;
  comm::agree(context.comm, [&] {
    index.emplace(open_index(options, origin));
    codebook = read_trained_codebook(paths.step("train"));
  });
  const auto team = runtime::make_shard_team(context.comm, corpus.shards);
  runtime::ShardJobs jobs(context, team, paths.index, {"entries", corpus.entries});
  std::int64_t divided = 0;
  runtime::ShardWork work;
  work.result = ".faiss";
  // All of a shard is made at once, when it is finished: nothing of it is worth committing before.
  work.prepare = [&](std::int64_t) {
    return runtime::ShardPlan{{{"empty", store::DataType::uint8, {0}, {}}}, {}, {}};
  };
  work.compute = [](std::int64_t, const runtime::Abandoned&) { return runtime::ComputedUnit{}; };
  work.finish = [&](std::int64_t shard) {
    const auto name = runtime::shard_name(shard);
    const auto rows =
        origin.sentences->entries_of(origin.sentences->batches_of_shard(shard, corpus.shards));
    const auto tokens = origin.store->read_values(rows);
    auto entries = index->entries_in(rows);
    auto* ids = entries.ids.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < entries.ids.numel(); ++i) {
      ids[i] = core::pack_entry_id(static_cast<core::TokenId>(tokens[ids[i] - rows.begin]), ids[i]);
    }
    const auto path = paths.index / (name + ".faiss");
    index::write_local_index(path, codebook, entries);
    divided += rows.size();
    return core::Json{{"entries", rows.size()}, {"fingerprint", core::fingerprint_file(path)}};
  };
  runtime::StageOutcome outcome = jobs.run(work);
  runtime::require_unchanged_inputs(context);
  outcome.content["entries"] = corpus.entries;
  outcome.work.items = divided;
  return outcome;
}

}  // namespace

void import_index(runtime::StageContext& context, const Options& options, const Origin& origin) {
  const CorpusPaths paths = first_corpus(options);
  const auto datastore = manifest_of<DatastoreManifest>(context, paths.step("encode"));
  core::Json facts = {{"from", origin.facts.at("from")},
                      {"files", fingerprint_files(context, options.foreign.index)}};
  const auto train = paths.step("train");
  core::Json of_codebook = trained_keys(context, datastore, train);
  of_codebook.update({{"metric", options.index.metric}, {"imported", facts}});
  runtime::run_stage(context,
                     {train.stage,
                      train.folder,
                      of_codebook,
                      [&] { return make_codebook(context, options, train.folder, origin); },
                      {codebook_name}});
  const auto corpus = corpus_manifest(context, options, paths);
  const auto codebook = manifest_of<CodebookManifest>(context, train);
  const auto add = paths.step("add");
  runtime::run_stage(context, {add.stage,
                               add.folder,
                               {{"corpus", corpus.identity},
                                {"datastore", datastore.identity},
                                {"codebook", codebook.identity},
                                {"first_entry", 0},
                                {"imported", facts}},
                               [&] { return divide_index(context, options, paths, origin); }});
}

}  // namespace knnseq::stages
