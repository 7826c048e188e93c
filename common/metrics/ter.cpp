#include "metrics/ter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "core/utf8.hpp"
#include "metrics/unicode.hpp"

namespace knnseq::metrics {

namespace {

using Sentence = std::vector<int>;  ///< words as numbers: equal words have equal numbers

constexpr int longest_shift = 10;
constexpr int farthest_shift = 50;
constexpr int beam_width = 25;
constexpr int most_candidates = 1000;
constexpr int unreached = std::numeric_limits<int>::max() / 2;

enum class Edit : char { none, substitute, insert, remove, undefined };

/// Words of a line in small letters, numbered in the order in which they are first seen.
Sentence read_words(std::string_view line, std::unordered_map<std::string, int>& numbers) {
  Sentence words;
  const std::string small = encode_utf8(lower(core::decode_utf8(line)));
  for (const auto word : core::split_words(small)) {
    const auto next = static_cast<int>(numbers.size());
    words.push_back(numbers.try_emplace(std::string(word), next).first->second);
  }
  return words;
}

/// The edits that make the reference of the hypothesis, fewest first, within the beam.
struct Edits {
  int count = 0;
  std::vector<Edit> trace;  ///< from the first word on; insert: of a word of the reference
};

Edits find_edits(const Sentence& hypothesis, const Sentence& reference) {
  struct Cell {
    int cost = unreached;
    Edit edit = Edit::undefined;
  };
  const auto rows = static_cast<int>(hypothesis.size());
  const auto columns = static_cast<int>(reference.size());
  std::vector<Cell> cells(static_cast<std::size_t>(rows + 1) * (columns + 1));
  const auto at = [&](int i, int j) -> Cell& { return cells[i * (columns + 1) + j]; };
  for (int j = 0; j <= columns; ++j) at(0, j) = {j, Edit::insert};
  const double ratio = rows > 0 ? static_cast<double>(columns) / rows : 1;
  const int width =
      beam_width < ratio / 2 ? static_cast<int>(std::ceil(ratio / 2 + beam_width)) : beam_width;
  for (int i = 1; i <= rows; ++i) {
    const int diagonal = static_cast<int>(std::floor(i * ratio));
    const int end = i == rows ? columns + 1 : std::min(columns + 1, diagonal + width);
    for (int j = std::max(0, diagonal - width); j < end; ++j) {
      Cell& cell = at(i, j);
      if (j == 0) {
        cell = {at(i - 1, 0).cost + 1, Edit::remove};
        continue;
      }
      const bool same = hypothesis[i - 1] == reference[j - 1];
      const Cell ways[] = {
          {at(i - 1, j - 1).cost + (same ? 0 : 1), same ? Edit::none : Edit::substitute},
          {at(i - 1, j).cost + 1, Edit::remove},
          {at(i, j - 1).cost + 1, Edit::insert}};
      for (const auto& way : ways) {
        if (cell.cost > way.cost) cell = way;
      }
    }
  }
  Edits edits{at(rows, columns).cost, {}};
  for (int i = rows, j = columns; i > 0 || j > 0;) {
    const Edit edit = at(i, j).edit;
    edits.trace.push_back(edit);
    if (edit != Edit::insert) --i;
    if (edit != Edit::remove) --j;
  }
  std::ranges::reverse(edits.trace);
  return edits;
}

/// Which words stand for which, and which are wrong.
struct Alignment {
  std::vector<int> of_reference;  ///< position in the hypothesis, −1: before its first word
  std::vector<bool> reference_wrong, hypothesis_wrong;
};

Alignment align(const std::vector<Edit>& trace) {
  Alignment alignment;
  int position = -1;
  for (const Edit edit : trace) {
    const bool wrong = edit != Edit::none;
    if (edit != Edit::insert) {
      ++position;
      alignment.hypothesis_wrong.push_back(wrong);
    }
    if (edit != Edit::remove) {
      alignment.of_reference.push_back(position);
      alignment.reference_wrong.push_back(wrong);
    }
  }
  return alignment;
}

bool any(const std::vector<bool>& wrong, int begin, int length) {
  return std::any_of(wrong.begin() + begin, wrong.begin() + begin + length,
                     [](bool is) { return is; });
}

/// The words with `length` of them from `start` moved to before `target`.
Sentence shift(const Sentence& words, int start, int length, int target) {
  const auto size = static_cast<int>(words.size());
  Sentence result;
  const auto take = [&](int begin, int end) {
    for (int i = begin; i < std::min(end, size); ++i) result.push_back(words[i]);
  };
  if (target < start) {
    take(0, target), take(start, start + length), take(target, start), take(start + length, size);
  } else if (target > start + length) {
    take(0, start), take(start + length, target), take(start, start + length), take(target, size);
  } else {
    take(0, start), take(start + length, length + target), take(start, start + length);
    take(length + target, size);
  }
  return result;
}

/// Tercom's search for the shift that saves most edits.
class ShiftSearch {
 public:
  ShiftSearch(const Sentence& reference, int& checked) : reference_(reference), checked_(checked) {}

  /// Edits that it saves, and the words after it; nothing if there is no candidate.
  std::optional<std::pair<int, Sentence>> best(const Sentence& words) {
    before_ = find_edits(words, reference_);
    alignment_ = align(before_.trace);
    const auto size = static_cast<int>(words.size());
    const auto reference_size = static_cast<int>(reference_.size());
    for (int start = 0; start < size; ++start) {
      for (int at = 0; at < reference_size; ++at) {
        if (std::abs(at - start) > farthest_shift) continue;
        for (int length = 1;
             length <= longest_shift && start + length <= size && at + length <= reference_size &&
             words[start + length - 1] == reference_[at + length - 1];
             ++length) {
          if (!is_candidate(start, at, length)) continue;
          try_targets(words, start, at, length);
          if (checked_ >= most_candidates) return take_best(words);
        }
      }
    }
    return take_best(words);
  }

 private:
  /// Saved edits, then longer, then earlier shifts; ties beyond these are the same shift.
  using Rank = std::tuple<int, int, int, int>;

  bool is_candidate(int start, int at, int length) const {
    if (!any(alignment_.hypothesis_wrong, start, length)) return false;
    if (!any(alignment_.reference_wrong, at, length)) return false;
    const int aligned = alignment_.of_reference[at];
    return aligned < start || aligned >= start + length;
  }

  void try_targets(const Sentence& words, int start, int at, int length) {
    int before = -1;
    for (int offset = -1; offset < length; ++offset) {
      const int target = at + offset == -1 ? 0 : alignment_.of_reference[at + offset] + 1;
      if (target == before) continue;
      before = target;
      const int saved =
          before_.count - find_edits(shift(words, start, length, target), reference_).count;
      ++checked_;
      const Rank rank{saved, length, -start, -target};
      if (!best_ || rank > *best_) best_ = rank;
    }
  }

  std::optional<std::pair<int, Sentence>> take_best(const Sentence& words) const {
    if (!best_) return std::nullopt;
    const auto [saved, length, start, target] = *best_;
    return std::pair(saved, shift(words, -start, length, -target));
  }

  const Sentence& reference_;
  int& checked_;
  Edits before_;
  Alignment alignment_;
  std::optional<Rank> best_;
};

}  // namespace

TerStatistics& TerStatistics::operator+=(const TerStatistics& other) {
  edits += other.edits;
  reference_length += other.reference_length;
  return *this;
}

TerStatistics ter_statistics(std::string_view hypothesis, std::string_view reference) {
  std::unordered_map<std::string, int> numbers;
  Sentence words = read_words(hypothesis, numbers);
  const Sentence target = read_words(reference, numbers);
  if (target.empty()) return {std::ssize(words), 0};
  int checked = 0;
  int shifts = 0;
  for (;;) {
    auto found = ShiftSearch(target, checked).best(words);
    if (checked >= most_candidates || !found || found->first <= 0) break;
    ++shifts;
    words = std::move(found->second);
  }
  return {shifts + find_edits(words, target).count, std::ssize(target)};
}

double ter_score(const TerStatistics& s) {
  if (s.reference_length > 0) {
    return 100 * (static_cast<double>(s.edits) / static_cast<double>(s.reference_length));
  }
  return s.edits > 0 ? 100 : 0;
}

std::string ter_signature() {
  return "nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:knnseq-" KNNSEQ_VERSION;
}

}  // namespace knnseq::metrics
