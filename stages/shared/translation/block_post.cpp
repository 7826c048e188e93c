#include "stages/shared/translation/block_post.hpp"

#include <algorithm>
#include <bit>
#include <span>
#include <utility>

namespace knnseq::stages {

namespace {

/// Of a message: 2 KiB, which every transport sends without waiting for the receiver.
constexpr std::size_t most_words = 256;
constexpr std::size_t header_words = 2;  ///< the rank, and how many words come in later messages

std::vector<std::int64_t> to_words(const TranslatedBlock& block) {
  std::vector<std::int64_t> words = {std::ssize(block.sentences)};
  for (std::size_t i = 0; i < block.sentences.size(); ++i) {
    words.push_back(block.sentences[i]);
    words.push_back(std::ssize(block.best[i]));
    for (const auto& [tokens, score, log_probs] : block.best[i]) {
      words.push_back(std::bit_cast<std::int64_t>(score));
      words.push_back(std::ssize(tokens));
      words.push_back(std::ssize(log_probs));
      for (const auto token : tokens) words.push_back(token);
      for (const float log_prob : log_probs) words.push_back(std::bit_cast<std::int32_t>(log_prob));
    }
  }
  return words;
}

TranslatedBlock from_words(const std::vector<std::int64_t>& words) {
  auto at = words.begin();
  TranslatedBlock block;
  for (auto sentences = *at++; sentences > 0; --sentences) {
    block.sentences.push_back(*at++);
    auto& best = block.best.emplace_back();
    for (auto count = *at++; count > 0; --count) {
      auto& [tokens, score, log_probs] = best.emplace_back();
      score = std::bit_cast<double>(*at++);
      tokens.resize(static_cast<std::size_t>(*at++));
      log_probs.resize(static_cast<std::size_t>(*at++));
      for (auto& token : tokens) token = static_cast<core::TokenId>(*at++);
      for (auto& log_prob : log_probs) {
        log_prob = std::bit_cast<float>(static_cast<std::int32_t>(*at++));
      }
    }
  }
  return block;
}

}  // namespace

void post_block(comm::Communicator& comm, const TranslatedBlock& block) {
  const auto words = to_words(block);
  std::span<const std::int64_t> rest = words;
  while (!rest.empty()) {
    const auto part = rest.first(std::min(rest.size(), most_words - header_words));
    rest = rest.subspan(part.size());
    std::vector<std::int64_t> message = {comm.rank(), std::ssize(rest)};
    message.insert(message.end(), part.begin(), part.end());
    comm.post(0, message);
  }
}

std::vector<TranslatedBlock> BlockCollector::collect() {
  std::vector<TranslatedBlock> blocks;
  while (const auto message = comm_.poll()) {
    auto& words = arrived_[message->at(0)];
    words.insert(words.end(), message->begin() + header_words, message->end());
    if (message->at(1) > 0) continue;
    blocks.push_back(from_words(std::exchange(words, {})));
  }
  return blocks;
}

}  // namespace knnseq::stages
