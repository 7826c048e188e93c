#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "index/core/index_spec.hpp"

using namespace knnseq;
using index::parse_index_spec;

TEST_CASE("supported factory strings are taken apart") {
  const auto full = parse_index_spec("OPQ32_128,IVF1024,PQ32x8np", 256);
  CHECK(full.transform == index::Transform::opq);
  CHECK(full.d_in == 256);
  CHECK(full.d_out == 128);
  CHECK(full.opq_m == 32);
  CHECK(full.nlist == 1024);
  CHECK(full.m == 32);
  CHECK(full.dsub() == 4);
  CHECK(full.factory() == "OPQ32_128,IVF1024,PQ32");
  CHECK(parse_index_spec(full.factory(), 256) == full);

  CHECK(parse_index_spec("OPQ8,IVF16,PQ8", 64).d_out == 64);
  CHECK(parse_index_spec("PCA48,IVF16,PQ8", 64).transform == index::Transform::pca);
  CHECK(parse_index_spec("IVF16,PQ8x8", 64).transform == index::Transform::none);
}

TEST_CASE("every way of storing entries is known") {
  using index::Storage;
  const auto graph = parse_index_spec("OPQ8_32,IVF16_HNSW32,PQ8", 64, "cos");
  CHECK(graph.coarse_edges == 32);
  CHECK(graph.metric == index::Metric::cos);
  CHECK(graph.factory() == "OPQ8_32,IVF16_HNSW32,PQ8");
  CHECK(parse_index_spec("Flat", 64).storage == Storage::flat);
  CHECK(parse_index_spec("Flat", 64).code_bytes() == 256);
  CHECK(parse_index_spec("PCA32,IVF16,Flat", 64).code_bytes() == 128);
  CHECK(parse_index_spec("PQ8np", 64).code_bytes() == 8);
  CHECK(parse_index_spec("PQ8x4fs", 64).storage == Storage::pq_fast_scan);
  CHECK(parse_index_spec("PQ8x4fs", 64).code_bytes() == 4);
  CHECK(parse_index_spec("PQ8x4fs", 64).centroids() == 16);
  CHECK(parse_index_spec("HNSW32", 64).edges == 32);
  CHECK(parse_index_spec("HNSW32,Flat", 64).factory() == "HNSW32");
  for (const char* text : {"Flat", "PQ8", "IVF16,Flat", "PCA32,HNSW16", "OPQ8_32,PQ8x4fs"}) {
    const auto spec = parse_index_spec(text, 64, "ip");
    CHECK(spec.factory() == text);
    CHECK(parse_index_spec(spec.factory(), 64, "ip") == spec);
  }
}

TEST_CASE("vectors can be whitened and brought to length 1") {
  const auto spec = parse_index_spec("PCAW32,L2norm,IVF16,PQ8", 64);
  CHECK(spec.whitened);
  CHECK(spec.normalised);
  CHECK(spec.d_out == 32);
  CHECK(spec.factory() == "PCAW32,L2norm,IVF16,PQ8");
  CHECK(parse_index_spec("L2norm,Flat", 64).factory() == "L2norm,Flat");
  CHECK_FALSE(parse_index_spec("PCA32,Flat", 64).whitened);
  for (const char* text : {"PCAW32,Flat", "L2norm,Flat"}) {
    CHECK_THROWS_WITH(parse_index_spec(text, 64, "cos"), Catch::Contains("are for the metric l2"));
  }
  CHECK_THROWS_WITH(parse_index_spec("Flat,L2norm", 64), Catch::Contains("is too much"));
}

TEST_CASE("other factory strings are refused, saying what is supported") {
  for (const char* text : {"",
                           "IVF16",
                           "OPQ8",
                           "IVF,PQ8",
                           "IVF0,PQ8",
                           "OPQ,IVF16,PQ8",
                           "OPQ8_,IVF16,PQ8",
                           "PCA,IVF16,PQ8",
                           "PCAR32,IVF16,PQ8",
                           "IVF16,PQ8x4",
                           "IVF16,PQ8+16",
                           "IVF16,PQ-8",
                           "OPQ8,PCA32,IVF16,PQ8",
                           "IVF16,PQ8,",
                           "IVF99999999999999999999,PQ8",
                           "IVF16_HNSW,PQ8",
                           "IVF16_HNSW1,PQ8",
                           "IVF16,PQ8x4fs",
                           "IVF16,HNSW32",
                           "PQ7x4fs",
                           "HNSW",
                           "HNSW32,PQ8",
                           "Flat,Flat",
                           "SQ8"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_index_spec(text, 64), core::InputError);
    CHECK_THROWS_WITH(parse_index_spec(text, 64), Catch::Contains("supported are"));
  }
}

TEST_CASE("parts that do not fit together are refused") {
  CHECK_THROWS_WITH(parse_index_spec("IVF16,PQ7", 64), Catch::Contains("PQ7 cannot cut width 64"));
  CHECK_THROWS_WITH(parse_index_spec("OPQ5_32,IVF16,PQ8", 64), Catch::Contains("OPQ5"));
  CHECK_THROWS_WITH(parse_index_spec("PCA128,IVF16,PQ8", 64), Catch::Contains("widen"));
  CHECK_THROWS_WITH(parse_index_spec("IVF16,PQ8", 64, "l1"), Catch::Contains("'l1'"));
}
