#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "index/index_spec.hpp"

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

TEST_CASE("other factory strings are refused, saying what is supported") {
  for (const char* text : {"", "Flat", "IVF16", "PQ8", "IVF16,Flat", "IVF,PQ8", "IVF0,PQ8",
                           "IVF16_HNSW32,PQ8", "OPQ,IVF16,PQ8", "OPQ8_,IVF16,PQ8", "PCA,IVF16,PQ8",
                           "PCAR32,IVF16,PQ8", "IVF16,PQ8x4", "IVF16,PQ8+16", "IVF16,PQ-8",
                           "OPQ8,PCA32,IVF16,PQ8", "IVF16,PQ8,", "IVF99999999999999999999,PQ8"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_index_spec(text, 64), core::InputError);
    CHECK_THROWS_WITH(parse_index_spec(text, 64), Catch::Contains("this version supports"));
  }
}

TEST_CASE("parts that do not fit together are refused") {
  CHECK_THROWS_WITH(parse_index_spec("IVF16,PQ7", 64), Catch::Contains("PQ7 cannot cut width 64"));
  CHECK_THROWS_WITH(parse_index_spec("OPQ5_32,IVF16,PQ8", 64), Catch::Contains("OPQ5"));
  CHECK_THROWS_WITH(parse_index_spec("PCA128,IVF16,PQ8", 64), Catch::Contains("widen"));
  CHECK_THROWS_WITH(parse_index_spec("IVF16,PQ8", 64, "cos"), Catch::Contains("'cos'"));
}
