// fairseq's dictionaries: symbols and ids lead to one another.
#include "fuzz.hpp"
#include "text/pieces/fairseq_dictionary.hpp"

using namespace knnseq;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read([&] {
    const auto dictionary = text::FairseqDictionary::parse(fuzz::as_text(data, size), "input");
    fuzz::require(dictionary.size() >= 4, "the special symbols are there");
    for (core::TokenId id = 0; id < dictionary.size(); ++id) {
      const std::string& symbol = dictionary.symbol(id);
      const core::TokenId found = dictionary.id(symbol);
      fuzz::require(found >= id, "a symbol is found under its last id");
      fuzz::require(dictionary.symbol(found) == symbol, "an id has its symbol");
    }
  });
  return 0;
}
