// Counting n-grams that two sequences share. Private to this module.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace knnseq::metrics {

/// Words as numbers: equal words have equal numbers.
using WordNumbers = std::unordered_map<std::string, std::int64_t>;

inline std::vector<std::int64_t> number_words(std::span<const std::string> words,
                                              WordNumbers& numbers) {
  std::vector<std::int64_t> result;
  for (const auto& word : words) {
    const auto next = static_cast<std::int64_t>(numbers.size());
    result.push_back(numbers.try_emplace(word, next).first->second);
  }
  return result;
}

/// Numbers of n-grams of one order.
struct NgramMatches {
  std::int64_t hypothesis = 0;
  std::int64_t reference = 0;
  std::int64_t matches = 0;  ///< each n-gram as often as both sides have it
};

/// Sorts both sides' n-grams and walks along them; symbols are anything that is ordered.
template <class Symbol>
NgramMatches match_ngrams(std::span<const Symbol> hypothesis, std::span<const Symbol> reference,
                          std::size_t order) {
  using Ngram = std::span<const Symbol>;
  const auto less = [](const Ngram& a, const Ngram& b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
  };
  const auto sorted_ngrams = [&](std::span<const Symbol> symbols) {
    std::vector<Ngram> ngrams;
    for (std::size_t i = 0; i + order <= symbols.size(); ++i) {
      ngrams.push_back(symbols.subspan(i, order));
    }
    std::sort(ngrams.begin(), ngrams.end(), less);
    return ngrams;
  };
  const auto ours = sorted_ngrams(hypothesis);
  const auto theirs = sorted_ngrams(reference);
  NgramMatches result{static_cast<std::int64_t>(ours.size()),
                      static_cast<std::int64_t>(theirs.size()), 0};
  for (auto a = ours.begin(), b = theirs.begin(); a != ours.end() && b != theirs.end();) {
    if (less(*a, *b)) {
      ++a;
    } else if (less(*b, *a)) {
      ++b;
    } else {
      ++result.matches;
      ++a;
      ++b;
    }
  }
  return result;
}

}  // namespace knnseq::metrics
