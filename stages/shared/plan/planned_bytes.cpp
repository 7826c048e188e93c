#include "stages/shared/plan/planned_bytes.hpp"

#include <algorithm>

#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

namespace {

constexpr std::int64_t fp16 = 2;
constexpr std::int64_t fp32 = 4;
constexpr std::int64_t id_bytes = 8;
constexpr std::int64_t token_bytes = 4;
/// What HDF5 and the labels of a shard's file take.
constexpr std::int64_t hdf5_bytes = 5500;

/// Codes and ids. A graph's node has 2 · edges links on the lowest level and edges on each higher
/// one, which the edges-th part of the nodes below reaches; its level, and where its links begin.
std::int64_t entry_bytes(const index::IndexSpec& spec) {
  const std::int64_t bytes = spec.code_bytes() + id_bytes;
  if (spec.edges == 0) return bytes;
  const std::int64_t higher = spec.edges / std::max<std::int64_t>(spec.edges - 1, 1);
  return bytes + (2 * spec.edges + higher) * fp32 + fp32 + id_bytes;
}

}  // namespace

CorpusSize& CorpusSize::operator+=(const CorpusSize& other) {
  sentences += other.sentences;
  source_tokens += other.source_tokens;
  entries += other.entries;
  estimated = estimated || other.estimated;
  return *this;
}

std::int64_t index_bytes(const Needs& needs) {
  return index_bytes(needs.index, needs.corpus.entries);
}

std::int64_t index_bytes(const index::IndexSpec& spec, std::int64_t entries) {
  return entries * entry_bytes(spec);
}

std::int64_t codebook_bytes(const index::IndexSpec& spec) {
  const bool rotates = spec.transform != index::Transform::none;
  const std::int64_t graph = spec.coarse_edges > 0 ? (2 * spec.coarse_edges + 4) * fp32 : 0;
  return fp32 * ((rotates ? spec.d_in * spec.d_out : 0) +
                 (spec.has_quantizer() ? spec.centroids() * spec.d_out : 0)) +
         spec.nlist * (spec.d_out * fp32 + graph + id_bytes);
}

std::int64_t planned_sample(const Options& options, const Needs& needs) {
  return std::min(options.datastore.sample.size, needs.corpus.entries);
}

std::vector<PlannedFolder> plan_folders(const Options& options, const Needs& needs) {
  const auto& [sentences, source_tokens, entries, estimated] = needs.corpus;
  const std::int64_t width = needs.width;
  const std::int64_t key = width * bytes_of(needs.imported.value_or(options.datastore.keys));
  const std::int64_t sentence_key = width * fp16;
  const Folders folders(options.run_dir);
  const bool stored = options.datastore.store == KeyStore::keys;
  // Tokens of both sides; starts of both, sentence, entry and line numbers.
  const std::int64_t files = (1 + std::ssize(options.append)) * options.shards * hdf5_bytes;
  const std::int64_t corpus =
      (source_tokens + entries) * token_bytes + 5 * sentences * id_bytes + files;
  std::int64_t datastore = files + entries * token_bytes + 4 * sentences * id_bytes +
                           planned_sample(options, needs) * (key + id_bytes);
  if (stored) datastore += entries * key;
  if (options.datastore.sentence_keys && !needs.imported) datastore += sentences * sentence_key;
  datastore += sentences * needs.imported_sentence_width * fp16;
  if (options.datastore.log_probs && !needs.imported) datastore += entries * fp16;
  // An appended corpus has as many shards as the first.
  const std::int64_t corpora = 1 + std::ssize(options.append);
  const std::int64_t index =
      index_bytes(needs) + corpora * options.shards * codebook_bytes(needs.index);
  std::vector<PlannedFolder> planned = {{"partition", folders.corpus, corpus},
                                        {"encode", folders.datastore, datastore},
                                        {"train", folders.codebook, codebook_bytes(needs.index)},
                                        {"add", folders.index, index}};
  const auto& prune = options.datastore.prune;
  if (prune.on()) {  // at most
    const bool makes_log_probs = prune.probability && !options.datastore.log_probs;
    planned.push_back({"prune", folders.pruned, index + (makes_log_probs ? entries * fp16 : 0)});
  }
  if (!options.append.empty()) planned.push_back({"append", options.run_dir / "append", 0});
  if (!options.decodes_subsets()) return planned;
  const auto spec = index::parse_index_spec(options.subset.codes, width, options.index.metric);
  std::int64_t subset = entries * spec.code_bytes() + codebook_bytes(spec);
  if (options.subset.has_vectors()) {
    const auto similar =
        index::parse_index_spec(options.subset.index, width, options.subset.metric);
    subset += index_bytes(similar, sentences) + (options.shards + 1) * codebook_bytes(similar);
  }
  const bool encodes = options.subset.encoder == SentenceEncoder::torchscript && !needs.imported;
  if (encodes) subset += sentences * sentence_key;
  planned.push_back({"subset", options.run_dir / "subset", subset});
  return planned;
}

}  // namespace knnseq::stages
