// vocab.json: tokens and ids lead to one another.
#include "core/parse_json.hpp"
#include "fuzz.hpp"
#include "text/pieces/vocabulary.hpp"

using namespace knnseq;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read([&] {
    const text::Vocabulary vocabulary(core::parse_json(fuzz::as_text(data, size), "input"),
                                      "input");
    for (core::TokenId id = 0; id < vocabulary.size(); ++id) {
      if (!vocabulary.contains(id)) continue;
      fuzz::require(vocabulary.find(vocabulary.token(id)) == id, "a token has its id");
    }
  });
  return 0;
}
