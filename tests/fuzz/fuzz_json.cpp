// JSON text: what is parsed can be copied, dumped and parsed again.
#include "core/parse_json.hpp"
#include "fuzz.hpp"

using namespace knnseq;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read([&] {
    const auto json = core::parse_json(fuzz::as_text(data, size), "input");
    const auto copy = json;  // NOLINT: copying is what is tried
    const auto again = core::parse_json(copy.dump(), "dump");
    fuzz::require(again.dump() == copy.dump(), "a dump is parsed back");
  });
  return 0;
}
