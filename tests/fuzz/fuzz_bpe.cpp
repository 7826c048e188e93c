// BPE codes: with any merges the pieces of a text make up its words.
#include <string>

#include "fuzz.hpp"
#include "text/pieces/bpe.hpp"

using namespace knnseq;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read([&] {
    const auto bpe = text::Bpe::parse(fuzz::as_text(data, size), "input");
    const std::string text = "lower newest ab abc aaaaaaaa </w> Grüße 東京 \U0001F600 a";
    std::string joined;
    for (const std::string& piece : bpe.encode(text)) {
      const bool continued = piece.ends_with("@@");
      joined += continued ? piece.substr(0, piece.size() - 2) : piece + " ";
    }
    fuzz::require(joined == text + " ", "the pieces make up the text");
  });
  return 0;
}
