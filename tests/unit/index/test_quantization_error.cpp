#include <memory>

#include <catch2/catch.hpp>
#include <faiss/Index.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/index_io.h>

#include "index/train/quantization_error.hpp"
#include "support/temporary_folder.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;

namespace {

double error_of(const index::Codebook& codebook, const at::Tensor& keys) {
  const auto self = comm::make_self_communicator();
  return index::quantization_error(*self, index::VectorQuantizer(codebook),
                                   index::deal_sample(keys, 100, 0, 1));
}

}  // namespace

TEST_CASE("the quantisation error is that of faiss's codes") {
  const std::string factory = GENERATE("PQ4", "IVF8,PQ4", "OPQ4,IVF8,PQ4", "PQ8x4fs");
  INFO(factory);
  const test::TemporaryFolder folder;
  const auto codebook = test::random_codebook(index::parse_index_spec(factory, test::key_width));
  index::write_codebook(folder / "codebook", codebook);
  const std::unique_ptr<faiss::Index> faiss(faiss::read_index((folder / "codebook").c_str()));
  const at::Tensor keys = test::clustered(350, test::key_width, 7);
  std::vector<std::uint8_t> codes(350 * 64);  // more than any code takes
  if (auto* fast = dynamic_cast<faiss::IndexPQFastScan*>(faiss.get())) {
    fast->compute_codes(codes.data(), 350, keys.const_data_ptr<float>());
  } else {
    faiss->sa_encode(350, keys.const_data_ptr<float>(), codes.data());
  }
  at::Tensor decoded = at::empty({350, test::key_width}, at::kFloat);
  faiss->sa_decode(350, codes.data(), decoded.mutable_data_ptr<float>());
  const double expected =
      at::sum(at::square((keys - decoded).to(at::kDouble))).item<double>() / 350;
  CHECK(error_of(codebook, keys) == Approx(expected).epsilon(1e-4));
}

TEST_CASE("the error is zero if vectors are stored whole, and large for other data") {
  for (const char* factory : {"Flat", "PCA8,Flat", "IVF8,Flat", "HNSW4"}) {
    INFO(factory);
    const auto codebook = test::random_codebook(index::parse_index_spec(factory, test::key_width));
    CHECK(error_of(codebook, test::clustered(350, test::key_width, 7)) == 0);
  }
  const auto codebook = test::quick_codebook(1);
  const double own = error_of(codebook, test::clustered(1500, test::key_width, 1));
  CHECK(error_of(codebook, 3 * test::clustered(1500, test::key_width, 9)) > 1.5 * own);
}
