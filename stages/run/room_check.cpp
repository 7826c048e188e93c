#include "stages/run/room_check.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "comm/gather_json.hpp"
#include "obs/host_name.hpp"
#include "obs/progress_meter.hpp"
#include "obs/resources.hpp"
#include "stages/shared/search/built_subset.hpp"

namespace knnseq::stages {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t fp16 = 2;
constexpr std::int64_t fp32 = 4;
constexpr std::int64_t id_bytes = 8;
constexpr std::int64_t token_bytes = 4;
/// The program with its libraries, once a rank (docs/benchmarks.md).
constexpr std::int64_t program_bytes = std::int64_t{160} << 20;

/// What lies in a folder, with its folders.
std::int64_t bytes_in(const fs::path& folder) {
  std::int64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (entry.is_regular_file(error)) bytes += static_cast<std::int64_t>(entry.file_size(error));
  }
  return bytes;
}

/// A folder of the run directory, and what it will hold.
struct PlannedFolder {
  fs::path path;
  std::int64_t bytes = 0;
};

/// Codes and ids with the links of a graph.
std::int64_t entry_bytes(const index::IndexSpec& spec) {
  return spec.code_bytes() + id_bytes + 2 * spec.edges * fp32;
}

/// What every shard's file of an index repeats: rotation, centroids, quantiser.
std::int64_t codebook_bytes(const index::IndexSpec& spec) {
  const bool rotates = spec.transform != index::Transform::none;
  return fp32 * (spec.nlist * spec.d_out + (rotates ? spec.d_in * spec.d_out : 0) +
                 (spec.has_quantizer() ? spec.centroids() * spec.d_out : 0));
}

std::int64_t sample_of(const Options& options, const Needs& needs) {
  return std::min(options.datastore.sample.size, needs.corpus.entries);
}

/// Of the first corpus and those of append: together.
std::vector<PlannedFolder> plan_folders(const Options& options, const Needs& needs) {
  const auto& [sentences, source_tokens, entries, estimated] = needs.corpus;
  const std::int64_t width = needs.width;
  const std::int64_t key = width * bytes_of(options.datastore.keys);
  const std::int64_t sentence_key = width * fp16;
  const Folders folders(options.run_dir);
  const bool stored = options.datastore.store == KeyStore::keys;
  // Tokens of both sides; starts of both, sentence, entry and line numbers.
  const std::int64_t corpus = (source_tokens + entries) * token_bytes + 5 * sentences * id_bytes;
  std::int64_t datastore = entries * token_bytes + 4 * sentences * id_bytes +
                           sample_of(options, needs) * (key + id_bytes);
  if (stored) datastore += entries * key;
  if (options.datastore.sentence_keys) datastore += sentences * sentence_key;
  if (options.datastore.log_probs) datastore += entries * fp16;
  const std::int64_t index =
      entries * entry_bytes(needs.index) + options.shards * codebook_bytes(needs.index);
  std::vector<PlannedFolder> planned = {{folders.corpus, corpus},
                                        {folders.datastore, datastore},
                                        {folders.codebook, codebook_bytes(needs.index)},
                                        {folders.index, index}};
  const auto& prune = options.datastore.prune;
  if (prune.on()) {  // at most
    const bool makes_log_probs = prune.probability && !options.datastore.log_probs;
    planned.push_back({folders.pruned, index + (makes_log_probs ? entries * fp16 : 0)});
  }
  if (!options.append.empty()) planned.push_back({options.run_dir / "append", 0});
  if (!options.decodes_subsets()) return planned;
  const auto codes =
      index::parse_index_spec(options.subset.codes, width, options.index.metric).code_bytes();
  std::int64_t subset = entries * codes;
  if (options.subset.has_vectors()) {
    const auto spec = index::parse_index_spec(options.subset.index, width, options.subset.metric);
    subset += sentences * entry_bytes(spec) + options.shards * codebook_bytes(spec);
  }
  if (options.subset.encoder == SentenceEncoder::torchscript) subset += sentences * sentence_key;
  planned.push_back({options.run_dir / "subset", subset});
  return planned;
}

/// The nearest folder above a path that exists.
fs::path existing_part(fs::path path) {
  path = fs::absolute(path);
  while (!fs::exists(path) && path.has_relative_path()) path = path.parent_path();
  return path;
}

/// What the ranks of a host take together in one stage, beside program and model.
struct StageMemory {
  const char* stage;
  std::int64_t of_rank = 0;
  std::int64_t of_host = 0;  ///< once, whatever the number of its ranks
};

std::array<StageMemory, 3> plan_memory(const Options& options, const Needs& needs, int ranks) {
  const auto& spec = needs.index;
  const std::int64_t entries = needs.corpus.entries;
  const std::int64_t index = entries * entry_bytes(spec);
  const std::int64_t working = std::min<std::int64_t>(ranks, options.shards);
  std::array<StageMemory, 3> stages = {
      {{"train",
        sample_of(options, needs) * spec.d_out * fp32 / ranks + spec.nlist * spec.d_out * 2 * fp32},
       // A shard's codes and ids, and the file that is made of them.
       {"add", 2 * index / options.shards + codebook_bytes(spec)},
       // Where no node has room for a whole copy, all ranks hold one together.
       {"decode", index / working}}};
  for (const auto& decoding : options.decode) {
    if (!decoding.knn || decoding.mode != KnnMode::plain) continue;
    if (decoding.copies == IndexCopies::node) stages[2] = {"decode", 0, index};
    if (decoding.copies == IndexCopies::device) stages[2] = {"decode", index};
  }
  return stages;
}

/// A host, its ranks and its free memory.
struct Host {
  std::string name;
  std::int64_t ranks = 0;
  std::int64_t free_bytes = 0;
};

std::vector<Host> all_hosts(comm::Communicator& comm) {
  std::vector<Host> hosts;
  const core::Json mine = {{"name", obs::host_name()}, {"free", obs::available_memory_bytes()}};
  for (const auto& rank : comm::gather_json(comm, mine)) {
    const auto name = rank.at("name").get<std::string>();
    auto host = std::ranges::find(hosts, name, &Host::name);
    if (host == hosts.end()) host = hosts.insert(host, {name, 0, rank.at("free")});
    ++host->ranks;
  }
  return hosts;
}

}  // namespace

std::int64_t missing_bytes(const Options& options, const Needs& needs) {
  std::int64_t planned = 0;
  std::int64_t there = 0;
  for (const auto& folder : plan_folders(options, needs)) {
    planned += folder.bytes;
    there += bytes_in(folder.path);
  }
  return std::max<std::int64_t>(planned - there, 0);
}

std::string check_disk(const Options& options, const Needs& needs, Problems& problems) {
  const auto missing = missing_bytes(options, needs);
  const fs::path place = existing_part(options.run_dir);
  std::error_code error;
  const auto space = fs::space(place, error);
  if (error) return fmt::format("{} of disk", obs::as_bytes(missing));
  const auto free = static_cast<std::int64_t>(space.available);
  if (missing > free) {
    problems.note(fmt::format(
        "run_dir: {} will need about {} more than lies there, and {} has {} free",
        options.run_dir.string(), obs::as_bytes(missing), place.string(), obs::as_bytes(free)));
  }
  return fmt::format("{} of {} of free disk", obs::as_bytes(missing), obs::as_bytes(free));
}

std::string check_memory(runtime::StageContext& context, const Options& options, const Needs& needs,
                         Problems& problems) {
  const auto hosts = all_hosts(context.comm);
  const std::int64_t always = program_bytes + needs.model_bytes;
  std::int64_t most = 0;
  for (const auto& [stage, of_rank, of_host] : plan_memory(options, needs, context.comm.size())) {
    for (const auto& host : hosts) {
      const auto bytes = host.ranks * (always + of_rank) + of_host;
      most = std::max(most, bytes);
      if (bytes <= host.free_bytes) continue;
      problems.note(fmt::format(
          "memory: {} will need about {} on {} with its {} ranks, and {} are free: start fewer "
          "ranks a host, or more hosts",
          stage, obs::as_bytes(bytes), host.name, host.ranks, obs::as_bytes(host.free_bytes)));
    }
  }
  return fmt::format("up to {} of memory a host", obs::as_bytes(most));
}

}  // namespace knnseq::stages
