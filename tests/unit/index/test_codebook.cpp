#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>
#include <faiss/Index.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "support/temporary_folder.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;

TEST_CASE("codebooks survive their file, with the same bytes each time") {
  const std::string factory =
      GENERATE("OPQ4_8,IVF8,PQ4", "OPQ2_8,IVF8,PQ4", "PCA8,IVF8,PQ4", "IVF8,PQ4");
  const test::TemporaryFolder folder;
  const auto path = folder / "knnseq-codebook.faiss";
  const auto codebook = test::train_alone(
      test::clustered(1500, 16, 1), index::parse_index_spec(factory, 16), test::quick_options());
  index::write_codebook(path, codebook);
  const std::string bytes = core::read_file(path);
  CHECK(checksum(index::read_codebook(path)) == checksum(codebook));
  CHECK(index::read_codebook(path).spec.m == codebook.spec.m);
  CHECK(index::read_codebook(path).spec.d_out == codebook.spec.d_out);
  index::write_codebook(path, codebook);
  CHECK(core::read_file(path) == bytes);
  const std::unique_ptr<faiss::Index> opened(faiss::read_index(path.c_str()));
  CHECK(opened->d == 16);
  CHECK(opened->ntotal == 0);
  CHECK(opened->is_trained);

  for (const std::size_t length : {std::size_t{0}, std::size_t{3}, bytes.size() / 2}) {
    std::ofstream(path, std::ios::binary) << bytes.substr(0, length);
    CHECK_THROWS_AS(index::read_codebook(path), core::InputError);
    CHECK_THROWS_WITH(index::read_codebook(path), Catch::Contains(path.string()));
  }
  std::filesystem::remove(path);
  CHECK_THROWS_WITH(index::read_codebook(path), Catch::Contains("no such file"));
}

TEST_CASE("other faiss indexes are refused") {
  const test::TemporaryFolder folder;
  const auto path = folder / "knnseq-other.faiss";
  const auto vectors = test::normal(300, 8, 1);
  for (const char* factory : {"SQ8", "IVF4,SQ8", "PQ4x4np", "LSH"}) {
    const std::unique_ptr<faiss::Index> other(faiss::index_factory(8, factory));
    other->train(300, vectors.const_data_ptr<float>());
    faiss::write_index(other.get(), path.c_str());
    CHECK_THROWS_WITH(index::read_codebook(path),
                      Catch::Contains("codebook") || Catch::Contains(path.string()));
  }
}

TEST_CASE("the quantizer agrees with plain arithmetic") {
  const auto codebook = test::quick_codebook();
  const index::VectorQuantizer quantizer(codebook);
  const at::Tensor keys = test::clustered(200, 16, 9);
  const at::Tensor rotated = quantizer.rotate(keys.to(at::kHalf));
  CHECK(at::allclose(rotated, at::matmul(keys.to(at::kHalf).to(at::kFloat), codebook.rotation.t()),
                     1e-4, 1e-4));
  const at::Tensor distances = at::square(at::cdist(rotated, codebook.coarse_centroids));
  const at::Tensor lists = quantizer.assign_exact(rotated);
  CHECK(at::equal(lists.to(at::kLong), at::argmin(distances, 1)));

  const auto probes = quantizer.probe(rotated, 3);
  const auto [values, order] = at::sort(distances, 1);
  CHECK(at::equal(probes.lists, order.narrow(1, 0, 3)));
  CHECK(at::allclose(probes.distances, values.narrow(1, 0, 3), 1e-3, 1e-3));
  CHECK(quantizer.probe(rotated, 100).lists.size(1) == 8);
  CHECK(quantizer.probe(rotated.narrow(0, 0, 0), 3).lists.size(0) == 0);

  auto tied = codebook;
  tied.coarse_centroids = codebook.coarse_centroids.select(0, 0).expand({8, 8}).contiguous();
  const index::VectorQuantizer tied_coder(tied);
  CHECK(at::equal(tied_coder.probe(rotated, 3).lists.select(0, 5), at::arange(3, at::kLong)));
  CHECK(tied_coder.assign_exact(rotated).max().item<int>() == 0);
}
