// Training for all index types and metrics.
#include <catch2/catch.hpp>
#include <faiss/impl/ProductQuantizer.h>

#include "index/core/normalised.hpp"
#include "index/train/product_quantizer_training.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;

namespace {

index::Codebook quickly(const at::Tensor& sample, const std::string& factory,
                        const std::string& metric) {
  return test::train_alone(sample, index::parse_index_spec(factory, sample.size(1), metric),
                           test::quick_options());
}

}  // namespace

TEST_CASE("every type has the tensors it needs, for every metric") {
  const std::string metric = GENERATE("l2", "ip", "cos");
  const std::string factory = GENERATE("Flat", "PCA8,Flat", "OPQ4_8,Flat", "HNSW8", "PQ4",
                                       "OPQ4_8,PQ4", "PQ4x4fs", "OPQ4_8,PQ4x4fs", "IVF8,Flat",
                                       "PCA8,IVF8,Flat", "OPQ4_8,IVF8,PQ4", "IVF8_HNSW4,PQ4");
  const auto codebook = quickly(test::clustered(1500, 16, 1), factory, metric);
  const auto& spec = codebook.spec;
  INFO(factory << " " << metric);
  const auto has_shape = [](const at::Tensor& tensor, bool there, at::IntArrayRef shape) {
    return tensor.defined() == there &&
           (!there || (tensor.sizes() == shape && at::isfinite(tensor).all().item<bool>()));
  };
  CHECK(has_shape(codebook.rotation, spec.transform != index::Transform::none, {8, 16}));
  CHECK(has_shape(codebook.bias,
                  spec.transform == index::Transform::pca && spec.metric == index::Metric::l2,
                  {8}));
  CHECK(has_shape(codebook.coarse_centroids, spec.has_lists(), {8, spec.d_out}));
  if (spec.has_quantizer()) {
    CHECK(has_shape(codebook.pq_centroids, true, {4, spec.centroids(), spec.dsub()}));
  } else {
    CHECK_FALSE(codebook.pq_centroids.defined());
  }
}

TEST_CASE("for inner products centroids have length 1 and PCA keeps the mean") {
  const std::string metric = GENERATE("ip", "cos");
  const at::Tensor shift = test::normal(1, 16, 5) * 20;
  const auto codebook = quickly(test::clustered(1500, 16, 1) + shift, "PCA8,IVF8,PQ4", metric);
  CHECK(at::allclose(at::linalg_vector_norm(codebook.coarse_centroids, 2, 1), at::ones({8}), 0,
                     1e-5));
  const at::Tensor first = codebook.rotation.select(0, 0);  // uncentred: it points to the mean
  CHECK(at::abs(at::dot(first, index::normalised(shift)[0])).item<float>() > 0.99F);
}

TEST_CASE("for cos only directions count, and zeros stay zeros") {
  at::Tensor sample = test::clustered(1500, 16, 1);
  sample.select(0, 7).zero_();
  const std::string factory = GENERATE("OPQ4_8,IVF8,PQ4", "PCA8,IVF8,PQ4", "PQ4");
  const at::Tensor factors =
      at::exp2(at::remainder(at::arange(1500, at::kFloat), 7) - 3).unsqueeze(1);
  const auto codebook = quickly(sample, factory, "cos");
  CHECK(checksum(quickly(sample * factors, factory, "cos")) == checksum(codebook));
  CHECK(checksum(quickly(sample * factors, factory, "ip")) != checksum(codebook));
  CHECK(at::equal(index::rotate_vectors(codebook, sample).select(0, 7),
                  at::zeros({codebook.spec.d_out})));
}

TEST_CASE("for ip the product quantiser learns what centroids leave over") {
  const at::Tensor sample = index::normalised(test::clustered(3000, 16, 1));
  const auto codebook = quickly(sample, "IVF8,PQ4", "ip");
  const at::Tensor lists = at::argmax(at::mm(sample, codebook.coarse_centroids.t()), 1);
  const at::Tensor residuals = sample - at::index_select(codebook.coarse_centroids, 0, lists);
  const at::Tensor decoded = index::pq_decode(
      index::ProductQuantizer(codebook.pq_centroids).encode(residuals), codebook.pq_centroids);
  CHECK(at::square(residuals - decoded).sum().item<float>() <
        0.4F * at::square(residuals).sum().item<float>());
}

TEST_CASE("16 centroids per sub-vector are as good as faiss's") {
  const at::Tensor sample = test::clustered(4000, 16, 3);
  const auto codebook =
      test::train_alone(sample, index::parse_index_spec("PQ8x4fs", 16), index::TrainOptions{});
  const auto error_of = [&](const at::Tensor& centroids) {
    const at::Tensor decoded =
        index::pq_decode(index::ProductQuantizer(centroids).encode(sample), centroids);
    return at::square(sample - decoded).sum().item<double>();
  };
  faiss::ProductQuantizer faiss_quantizer(16, 8, 4);
  faiss_quantizer.train(4000, sample.const_data_ptr<float>());
  at::Tensor theirs = at::empty({8, 16, 2}, at::kFloat);
  std::copy(faiss_quantizer.centroids.begin(), faiss_quantizer.centroids.end(),
            theirs.mutable_data_ptr<float>());
  CHECK(error_of(codebook.pq_centroids) < 1.02 * error_of(theirs));
}
