#include "text/pieces/bpe.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include "core/error.hpp"
#include "core/input_file.hpp"
#include "core/utf8.hpp"

namespace knnseq::text {

namespace {

constexpr std::string_view end_mark = "</w>";
constexpr std::string_view continuation_mark = "@@";

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) |
         static_cast<std::uint32_t>(right);
}

}  // namespace

Bpe::Bpe(const std::filesystem::path& path) : Bpe(parse(core::read_model_file(path), path)) {}

Bpe Bpe::parse(std::string_view content, const std::filesystem::path& path) {
  return Bpe(parse_bpe_codes(content, path));
}

Bpe::Bpe(const BpeCodes& codes) : separate_end_(codes.separate_end) {
  for (const auto& [left, right] : codes.merges) {
    const SymbolId merged = add_symbol(std::string(left).append(right));
    const std::uint64_t pair = pair_key(add_symbol(left), add_symbol(right));
    // Of equal lines the first counts.
    merges_.try_emplace(pair, Merge{core::narrow<std::int32_t>(merges_.size()), merged});
  }
}

Bpe::SymbolId Bpe::add_symbol(std::string_view symbol) {
  return ids_.try_emplace(std::string(symbol), core::narrow<SymbolId>(ids_.size())).first->second;
}

const Bpe::Merge* Bpe::find_merge(std::span<const Symbol> symbols, std::size_t left) const {
  if (left == none || symbols[left].id < 0 || symbols[left].next == none) return nullptr;
  const SymbolId right = symbols[symbols[left].next].id;
  if (right < 0) return nullptr;
  const auto found = merges_.find(pair_key(symbols[left].id, right));
  return found == merges_.end() ? nullptr : &found->second;
}

std::vector<Bpe::Symbol> Bpe::split(std::string_view marked) const {
  const std::string_view word = marked.substr(0, marked.size() - end_mark.size());
  std::vector<Symbol> symbols;
  for (std::size_t begin = 0, end = 0; begin < marked.size(); begin = end) {
    if (begin < word.size()) core::next_code_point(word, end);
    if (begin == word.size() || (end == word.size() && !separate_end_)) end = marked.size();
    const auto found = ids_.find(marked.substr(begin, end - begin));
    const SymbolId id = found == ids_.end() ? -1 : found->second;
    symbols.push_back({id, end, symbols.size() - 1, symbols.size() + 1});  // 0 − 1 is none
  }
  symbols.back().next = none;
  return symbols;
}

/// Both tools work in rounds: they take the pair of lowest rank in the word and merge all of its
/// occurrences, from left to right. A merge may make a pair of lower rank, which has to wait for
/// the next round; so the places of a round are taken from the queue together.
void Bpe::merge_all(std::vector<Symbol>& symbols) const {
  using Place = std::pair<std::int32_t, std::size_t>;  // rank, left symbol
  std::priority_queue<Place, std::vector<Place>, std::greater<>> queue;
  const auto push = [&](std::size_t left) {
    if (const Merge* merge = find_merge(symbols, left)) queue.emplace(merge->rank, left);
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) push(i);
  std::vector<std::size_t> places;
  while (!queue.empty()) {
    const std::int32_t rank = queue.top().first;
    for (places.clear(); !queue.empty() && queue.top().first == rank; queue.pop()) {
      places.push_back(queue.top().second);
    }
    for (const std::size_t place : places) {
      const Merge* merge = find_merge(symbols, place);
      if (!merge || merge->rank != rank) continue;  // one of the two is merged already
      Symbol& left = symbols[place];
      Symbol& right = symbols[left.next];
      left = {merge->merged, right.end, left.previous, right.next};
      right.id = -1;
      if (left.next != none) symbols[left.next].previous = place;
      push(left.previous);
      push(place);
    }
  }
}

void Bpe::encode_word(std::string_view word, std::vector<std::string>& pieces) const {
  const std::string marked = std::string(word).append(end_mark);
  std::vector<Symbol> symbols = split(marked);
  merge_all(symbols);
  std::size_t begin = 0;
  for (std::size_t i = 0; begin < word.size(); i = symbols[i].next) {
    const std::size_t end = symbols[i].end;
    pieces.emplace_back(word.substr(begin, end - begin));
    if (end < word.size()) pieces.back() += continuation_mark;
    begin = end;
  }
}

std::vector<std::string> Bpe::encode(std::string_view text) const {
  constexpr std::string_view line_ends = "\r\n ";
  const auto first = text.find_first_not_of(line_ends);
  if (first == std::string_view::npos) return {};
  text = text.substr(first, text.find_last_not_of(line_ends) + 1 - first);
  std::vector<std::string> pieces;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (!word.empty()) encode_word(word, pieces);
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return pieces;
}

}  // namespace knnseq::text
