#include "stages/shared/search/open_mixer.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "gpu/torch_device.hpp"
#include "index/search/faiss_list_index.hpp"
#include "stages/shared/search/open_search.hpp"
#include "stages/shared/search/open_subset.hpp"

namespace knnseq::stages {

namespace {

/// Whose code scans, and so decides rounding: on a GPU faiss has other code, if it is built in.
std::string_view backend_name(index::Backend backend, const gpu::Device& device) {
  const bool on_gpu = device.cuda && index::has_faiss_cuda();
  return backend == index::Backend::faiss && on_gpu ? "faiss on GPUs" : core::name_of(backend);
}

/// Entries that are learned later count as the first corpus's do.
retrieval::EntryWeights weights_of(const BuiltDatastore& datastore) {
  std::vector<retrieval::WeightedEntries> entries;
  for (const auto& corpus : datastore.corpora) {
    entries.push_back({corpus.paths.first_entry, corpus.paths.weight});
  }
  entries.push_back({datastore.entries(), 1});
  return retrieval::EntryWeights(entries);
}

retrieval::EntryWeights weights_of(const BuiltSubset& subset) {
  std::vector<retrieval::WeightedEntries> entries;
  for (const auto& [built, codes, index, first_sentence] : subset.corpora) {
    const auto first = entries.empty() ? 0 : built.paths.first_entry;
    entries.push_back({first, built.paths.weight});
  }
  entries.push_back({subset.end_of_entries(), 1});
  return retrieval::EntryWeights(entries);
}

/// An identity of each corpus: one by itself stands alone, as it did before there were several.
template <class Identity>
core::Json in_a_list_if_several(const std::vector<SubsetCorpus>& corpora,
                                const Identity& identity) {
  if (corpora.size() == 1) return identity(corpora.front());
  core::Json list = core::Json::array();
  for (const auto& corpus : corpora) list.push_back(identity(corpus));
  return list;
}

/// Weights are an input only where they have an effect.
void add_weights(const std::vector<double>& weights, core::Json& inputs) {
  if (std::ranges::all_of(weights, [](double weight) { return weight == 1; })) return;
  inputs["weights"] = weights;
}

}  // namespace

SearchedData check_data(runtime::StageContext& context, const Options& options,
                        const DecodeOptions& decoding) {
  SearchedData data;
  if (!decoding.knn) return data;
  if (decoding.mode == KnnMode::plain) {
    data.datastores = check_search(context, options, decoding);
    return data;
  }
  data.subset = read_subset(context, options, decoding.corpora);
  comm::agree(context.comm, [&] { decoding.search.validate(); });
  return data;
}

core::Json search_inputs(const runtime::StageContext& context, const Options& options,
                         const DecodeOptions& decoding, const SearchedData& data) {
  core::Json inputs;
  const bool memory = decoding.mode == KnnMode::memory;
  if (!memory) inputs["k"] = decoding.search.k;
  if (data.subset) {
    inputs["mode"] = core::name_of(decoding.mode);
    inputs["encoder"] = core::name_of(options.subset.encoder);
    if (!memory) inputs["sentences"] = options.subset.sentences;
    const auto& corpora = data.subset->corpora;
    inputs["codes"] =
        in_a_list_if_several(corpora, [](const auto& corpus) { return corpus.codes.identity; });
    if (options.subset.has_vectors()) {
      inputs["sentence_index"] = in_a_list_if_several(
          corpora, [](const auto& corpus) { return corpus.sentence_index.identity; });
      inputs["sentence_nprobe"] = options.subset.nprobe;
    }
    std::vector<double> weights;
    for (const auto& corpus : corpora) weights.push_back(corpus.built.paths.weight);
    if (!memory) add_weights(weights, inputs);
    return inputs;
  }
  inputs["indexes"] = core::Json::array();
  std::vector<double> weights;
  for (const auto& datastore : data.datastores) {
    for (const auto* corpus : datastore.searched()) {
      inputs["indexes"].push_back(corpus->identity());
      weights.push_back(corpus->paths.weight);
    }
  }
  add_weights(weights, inputs);
  inputs["nprobe"] = decoding.search.nprobe;
  inputs["probing"] = core::name_of(decoding.search.probing);
  inputs["backend"] = backend_name(decoding.search.backend, context.placement.device);
  inputs["ef_search"] = decoding.search.ef_search;
  return inputs;
}

retrieval::KnnMixer open_mixer(runtime::StageContext& context, const Options& options,
                               const DecodeOptions& decoding, const SearchedData& data,
                               Resident& resident) {
  std::vector<std::unique_ptr<retrieval::KnnSearch>> searches;
  if (data.subset) {
    searches.push_back(make_subset_search(
        context, resident.subset_parts(context, options, *data.subset, decoding.copies),
        decoding.search.k));
  }
  if (!data.datastores.empty()) {
    for (const auto& open : resident.indexes(context, decoding, data.datastores)) {
      searches.push_back(make_search(context, open, decoding.search));
    }
  }
  std::unique_ptr<retrieval::MixingPolicy> policy;
  comm::agree(context.comm, [&] { policy = make_policy(context, decoding); });
  retrieval::KnnMixer mixer(std::move(searches), std::move(policy));
  std::vector<retrieval::EntryWeights> weights;
  for (const auto& datastore : data.datastores) weights.push_back(weights_of(datastore));
  if (data.subset) weights.push_back(weights_of(*data.subset));
  mixer.set_weights(std::move(weights));
  return mixer;
}

std::unique_ptr<retrieval::MixingPolicy> make_policy(const runtime::StageContext& context,
                                                     const DecodeOptions& decoding) {
  return retrieval::make_mixing_policy(decoding.interpolation,
                                       gpu::torch_device(context.placement.device));
}

std::unique_ptr<retrieval::SubsetSearch> open_memory(runtime::StageContext& context,
                                                     const Options& options,
                                                     const DecodeOptions& decoding,
                                                     const SearchedData& data, Resident& resident) {
  Options nearest = options;
  nearest.subset.sentences = 1;
  return make_subset_search(
      context, resident.subset_parts(context, nearest, *data.subset, decoding.copies), /*k=*/1);
}

}  // namespace knnseq::stages
