#include "stages/decode/test_set.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "text/read_lines.hpp"

namespace knnseq::stages {

TestSet read_test_set(const std::filesystem::path& file, std::int64_t block_sentences,
                      const text::Tokenizer& tokenizer, const model::ModelInfo& info,
                      obs::Log& log) {
  TestSet set;
  set.lines = text::read_lines(file);
  const auto most = static_cast<std::size_t>(info.max_positions);
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < set.lines.size(); ++i) {
    auto tokens = tokenizer.encode_source(set.lines[i]);
    if (tokens.size() + 1 > most) {
      log.info(fmt::format("warning: {}:{}: {} tokens are cut to the model's {} positions",
                           file.string(), i + 1, tokens.size(), most));
      tokens.resize(most - 1);
    }
    if (!tokens.empty()) {
      tokens.push_back(info.eos);
      order.push_back(static_cast<std::int64_t>(i));
    }
    set.sources.push_back(std::move(tokens));
  }
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return set.sources[static_cast<std::size_t>(a)].size() >
           set.sources[static_cast<std::size_t>(b)].size();
  });
  for (std::size_t at = 0; at < order.size(); at += static_cast<std::size_t>(block_sentences)) {
    const auto end = std::min(order.size(), at + static_cast<std::size_t>(block_sentences));
    set.blocks.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(at),
                            order.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return set;
}

}  // namespace knnseq::stages
