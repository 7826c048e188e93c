#include "index/faiss_io/codebook.hpp"

#include <array>

#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/index_io.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/hash.hpp"
#include "index/faiss_io/faiss_codebook.hpp"
#include "index/faiss_io/faiss_file.hpp"

namespace knnseq::index {

namespace {

void check_tensor(const std::string& where, const char* name, const at::Tensor& tensor,
                  at::IntArrayRef shape) {
  const bool fits = tensor.defined() && tensor.scalar_type() == at::kFloat &&
                    tensor.is_contiguous() && tensor.sizes() == shape;
  if (!fits) throw core::InputError(where, std::string("its ") + name + " has another shape");
  if (!at::isfinite(tensor).all().item<bool>()) {
    throw core::InputError(where,
                           std::string("its ") + name + " holds numbers that are not finite");
  }
}

std::uint64_t tensor_checksum(const at::Tensor& tensor) {
  if (!tensor.defined()) return 0;
  const at::Tensor dense = tensor.contiguous();
  return core::checksum({static_cast<const std::byte*>(dense.const_data_ptr()), dense.nbytes()});
}

}  // namespace

void Codebook::check(const std::string& where) const {
  try {
    spec.validate();
  } catch (const core::InputError& e) {
    throw core::InputError(where, e.what());
  }
  const bool centred = spec.transform == Transform::pca && spec.metric == Metric::l2;
  if (rotation.defined() != (spec.transform != Transform::none) || bias.defined() != centred) {
    throw core::InputError(where, "its transform is not the one of " + spec.factory());
  }
  if (coarse_centroids.defined() != spec.has_lists() ||
      pq_centroids.defined() != spec.has_quantizer()) {
    throw core::InputError(where, "its quantisers are not those of " + spec.factory());
  }
  if (rotation.defined()) check_tensor(where, "rotation", rotation, {spec.d_out, spec.d_in});
  if (bias.defined()) check_tensor(where, "bias", bias, {spec.d_out});
  if (spec.has_lists()) {
    check_tensor(where, "coarse quantiser", coarse_centroids, {spec.nlist, spec.d_out});
  }
  if (spec.has_quantizer()) {
    check_tensor(where, "product quantiser", pq_centroids, {spec.m, spec.centroids(), spec.dsub()});
  }
}

Codebook copy_to(const Codebook& codebook, at::Device device) {
  Codebook copy = codebook;
  for (at::Tensor* tensor :
       {&copy.rotation, &copy.bias, &copy.coarse_centroids, &copy.pq_centroids}) {
    if (tensor->defined()) *tensor = tensor->to(device);
  }
  return copy;
}

std::uint64_t checksum(const Codebook& codebook) {
  const std::array<std::uint64_t, 5> parts = {
      static_cast<std::uint64_t>(codebook.spec.nlist), tensor_checksum(codebook.rotation),
      tensor_checksum(codebook.bias), tensor_checksum(codebook.coarse_centroids),
      tensor_checksum(codebook.pq_centroids)};
  return core::checksum_of(std::span<const std::uint64_t>(parts));
}

void write_codebook(const std::filesystem::path& path, const Codebook& codebook) {
  const auto index = with_transform(codebook, make_faiss_index(codebook));
  core::publish_file(path, [&](const std::filesystem::path& temporary) {
    try {
      faiss::write_index(index.get(), temporary.c_str());
    } catch (const std::exception& e) {
      throw core::SystemError(temporary.string() + ": cannot be written: " + e.what());
    }
  });
}

Codebook read_codebook(const std::filesystem::path& path) {
  FaissFile file = read_faiss_file(path);
  if (file.lists != nullptr) {
    if (auto* graph = dynamic_cast<faiss::IndexHNSWFlat*>(file.lists->quantizer)) {
      file.lists->own_fields = false;  // the graph outlives the index it was read with
      file.codebook.coarse_graph.reset(graph);
    }
  }
  return std::move(file.codebook);
}

}  // namespace knnseq::index
