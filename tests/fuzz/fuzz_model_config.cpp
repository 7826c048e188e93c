// config.json and generation_config.json of all families, as one JSON array of the two.
#include "core/parse_json.hpp"
#include "fuzz.hpp"
#include "model/families/families.hpp"

using namespace knnseq;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read([&] {
    const auto files = core::parse_json(fuzz::as_text(data, size), "input");
    if (!files.is_array() || files.empty()) return;
    const auto generation = files.size() > 1 ? files[1] : core::Json();
    for (const model::Family& family : model::families) {
      fuzz::read([&] {
        const auto made = family.read("model", files[0], generation);
        const auto inside = [&](core::TokenId id) { return id >= 0 && id < made.info.vocab_size; };
        fuzz::require(
            made.info.width > 0 && made.info.decoder_layers > 0 && made.info.source_vocab_size > 0,
            "sizes are positive");
        fuzz::require(made.info.width <= model::most_width &&
                          made.info.decoder_layers <= model::most_layers &&
                          made.info.vocab_size <= model::most_tokens &&
                          made.info.source_positions <= model::most_positions,
                      "sizes are such that products of them fit");
        fuzz::require(inside(made.info.eos) && inside(made.info.pad), "eos and pad are tokens");
        fuzz::require(inside(made.info.decoder_start), "START is a token");
        for (const auto id : made.info.bad_tokens) fuzz::require(inside(id), "a bad word is one");
      });
    }
  });
  return 0;
}
