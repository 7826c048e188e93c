// Factory strings of indexes: what is accepted is written out, and read back to the same.
#include <string>

#include "fuzz.hpp"
#include "index/core/index_spec.hpp"

using namespace knnseq;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const char* metric : {"l2", "ip", "cos"}) {
    fuzz::read([&] {
      const auto spec = index::parse_index_spec(fuzz::as_text(data, size), 512, metric);
      fuzz::require(spec.d_out > 0 && spec.code_bytes() > 0 && spec.least_sample() >= 0,
                    "sizes are positive");
      fuzz::require(index::parse_index_spec(spec.factory(), 512, metric) == spec,
                    "the canonical string means the same");
    });
  }
  return 0;
}
