#include "stages/shared/search/open_mixer.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "gpu/torch_device.hpp"
#include "index/search/faiss_list_index.hpp"
#include "stages/shared/search/index_copies.hpp"
#include "stages/shared/search/open_search.hpp"
#include "stages/shared/search/open_subset.hpp"

namespace knnseq::stages {

namespace {

/// Whose code scans, and so decides rounding: on a GPU faiss has other code, if it is built in.
std::string_view backend_name(index::Backend backend, const gpu::Device& device) {
  const bool on_gpu = device.cuda && index::has_faiss_cuda();
  return backend == index::Backend::faiss && on_gpu ? "faiss on GPUs" : core::name_of(backend);
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
  data.subset = read_subset(context, options);
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
    inputs["codes"] = data.subset->codes.identity;
    if (options.subset.has_vectors()) {
      inputs["sentence_index"] = data.subset->sentence_index.identity;
      inputs["sentence_nprobe"] = options.subset.nprobe;
    }
    return inputs;
  }
  inputs["indexes"] = core::Json::array();
  for (const auto& datastore : data.datastores) {
    for (const auto& corpus : datastore.corpora) {
      inputs["indexes"].push_back(corpus.identity());
    }
  }
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
        context, resident.subset_parts(context, options, *data.subset), decoding.search.k));
  }
  if (!data.datastores.empty()) {
    const auto copies = choose_copies(context, decoding, data.datastores);
    for (const auto& open : resident.indexes(context, decoding, data.datastores, copies)) {
      searches.push_back(make_search(context, open, decoding.search));
    }
  }
  std::unique_ptr<retrieval::MixingPolicy> policy;
  comm::agree(context.comm, [&] { policy = make_policy(context, decoding); });
  return {std::move(searches), std::move(policy)};
}

std::unique_ptr<retrieval::MixingPolicy> make_policy(const runtime::StageContext& context,
                                                     const DecodeOptions& decoding) {
  return retrieval::make_mixing_policy(decoding.interpolation,
                                       gpu::torch_device(context.placement.device));
}

std::unique_ptr<retrieval::SubsetSearch> open_memory(runtime::StageContext& context,
                                                     const Options& options,
                                                     const SearchedData& data, Resident& resident) {
  Options nearest = options;
  nearest.subset.sentences = 1;
  return make_subset_search(context, resident.subset_parts(context, nearest, *data.subset),
                            /*k=*/1);
}

}  // namespace knnseq::stages
