// Compares a tokeniser with what transformers made of the same strings.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "core/files.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::text::testing {

inline const std::filesystem::path models =
    std::filesystem::path(KNNSEQ_SOURCE_DIR) / "tests/data/models";

inline std::vector<core::TokenId> ids_of(const core::Json& json) {
  return json.get<std::vector<core::TokenId>>();
}

/// See tests/support/tokenization_reference.py for what tokenization.json holds.
inline void check_tokenization(const std::filesystem::path& folder) {
  const core::Json reference = core::read_json(folder / "tokenization.json");
  Languages languages;
  if (const core::Json& given = reference.at("languages"); !given.is_null()) {
    languages = {given.at("source"), given.at("target")};
  }
  const auto tokenizer = load_tokenizer(folder, languages);
  CHECK(tokenizer->source_frame().prefix == ids_of(reference.at("prefix")));
  CHECK(tokenizer->source_frame().suffix == ids_of(reference.at("suffix")));
  CHECK(tokenizer->forced_target_tokens() == ids_of(reference.at("forced")));
  CHECK(tokenizer->vocab_size() >= reference.at("length").get<std::int64_t>());
  REQUIRE(reference.at("texts").size() > 50);
  for (const auto& row : reference.at("texts")) {
    const auto text = row.at("text").get<std::string>();
    INFO(row.dump());
    const auto source = tokenizer->encode_source(text);
    const auto target = tokenizer->encode_target(text);
    CHECK(source == ids_of(row.at("source_ids")));
    CHECK(target == ids_of(row.at("target_ids")));
    if (const core::Json& decoded = row.at("source_decoded"); !decoded.is_null()) {
      CHECK(tokenizer->decode_source(source) == decoded.get<std::string>());
    }
    CHECK(tokenizer->decode_target(target) == row.at("target_decoded").get<std::string>());
  }
  for (const auto& row : reference.at("tokens")) {
    INFO(row.dump());
    CHECK(tokenizer->decode_target(ids_of(row.at("ids"))) == row.at("decoded").get<std::string>());
  }
}

/// A copy of a model's tokeniser files in `to`, for a test to spoil.
inline void copy_tokenizer(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const char* name : {"config.json", "vocab.json", "sentencepiece.bpe.model",
                           "tokenizer_config.json", "special_tokens_map.json"}) {
    if (std::filesystem::exists(from / name)) std::filesystem::copy_file(from / name, to / name);
  }
}

}  // namespace knnseq::text::testing
