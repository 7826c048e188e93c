#include "stages/shared/text/sentence_pairs.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/utf8.hpp"
#include "runtime/long_work.hpp"
#include "text/files/line_files.hpp"
#include "text/files/line_filter.hpp"
#include "text/files/text_file.hpp"

namespace knnseq::stages {

namespace fs = std::filesystem;

namespace {

/// One token stands for far fewer bytes than this; longer lines are not even tokenised.
constexpr std::size_t most_bytes_per_token = 256;

/// One side's lines of a rank: tokens with EOS, or none and the reason.
struct Side {
  std::vector<core::TokenId> tokens;
  std::vector<std::int64_t> starts{0};
  std::vector<DropReason> reasons;
  std::vector<std::string> places;  ///< file and line of lines with a reason, for messages
};

/// The lines of the files, with compressed ones unpacked. What is not text is refused here, before
/// its lines are looked at.
text::LineFiles open_lines(runtime::StageContext& context, const std::vector<fs::path>& files,
                           const fs::path& scratch) {
  auto& comm = context.comm;
  std::vector<fs::path> plain = files;
  std::optional<text::LineFiles> lines;
  runtime::agree_on_long_work(context, [&] {
    for (std::size_t i = 0; i < files.size(); ++i) {
      text::open_text(files[i]);
      if (!text::is_compressed(files[i])) continue;
      plain[i] = scratch / std::to_string(i);  // the user's own names may be too long to extend
      if (static_cast<int>(i) % comm.size() == comm.rank()) text::unpack_text(files[i], plain[i]);
    }
  });
  comm::agree(comm, [&] {
    lines.emplace(plain);
    lines->call(files);
  });
  return *std::move(lines);
}

/// Lines of each chunk; every rank counts some chunks.
std::vector<std::int64_t> count_lines(runtime::StageContext& context,
                                      const text::LineFiles& files) {
  auto& comm = context.comm;
  std::vector<std::int64_t> counts(files.chunk_count(), 0);
  runtime::agree_on_long_work(context, [&] {
    for (std::int64_t i = comm.rank(); i < files.chunk_count(); i += comm.size()) {
      counts[i] = files.count_lines_in_chunk(i);
    }
  });
  comm.all_reduce(counts, comm::Reduction::sum);
  return counts;
}

/// How the lines of one side become tokens.
struct SideRules {
  std::string preprocess;  ///< shell command; empty: none
  std::int64_t most_tokens = 0;
  DropReason empty, too_long;
  /// The sentence's tokens with all that surrounds them; empty if it has none.
  std::function<std::vector<core::TokenId>(std::string_view)> encode;
};

/// Takes lines in order. They go through the command in large groups.
class SideReader {
 public:
  SideReader(const SideRules& rules, Side& side) : rules_(rules), side_(side) {}

  /// place: of the line, for messages.
  void take(std::string_view line, std::string place) {
    auto reason = DropReason::none;
    const auto most_bytes = static_cast<std::size_t>(rules_.most_tokens) * most_bytes_per_token;
    if (line.size() > std::min(most_bytes, text::LineFiles::longest_line)) {
      reason = rules_.too_long;
    } else if (!core::is_valid_text(line)) {
      reason = DropReason::invalid_text;
    } else if (core::strip(line).empty()) {
      reason = rules_.empty;
    }
    if (rules_.preprocess.empty()) {
      tokenise(line, reason, place);
      return;
    }
    pending_.push_back({reason, std::move(place)});
    if (reason == DropReason::none) texts_.emplace_back(line);
    if (pending_.size() == lines_a_group) finish();
  }

  /// To be called after the last line.
  void finish() {
    if (!texts_.empty()) texts_ = text::filter_lines(rules_.preprocess, texts_);
    auto text = texts_.begin();
    for (const auto& [reason, place] : pending_) {
      tokenise(reason == DropReason::none ? *text++ : "", reason, place);
    }
    pending_.clear();
    texts_.clear();
  }

 private:
  static constexpr std::size_t lines_a_group = 100'000;

  struct Pending {
    DropReason reason;
    std::string place;
  };

  /// A line that is dropped leaves no tokens.
  void tokenise(std::string_view line, DropReason reason, const std::string& place) {
    std::vector<core::TokenId> tokens;
    if (reason == DropReason::none) {
      tokens = rules_.encode(line);
      if (tokens.empty()) reason = rules_.empty;
      if (std::ssize(tokens) > rules_.most_tokens) reason = rules_.too_long;
    }
    if (reason == DropReason::none) {
      side_.tokens.insert(side_.tokens.end(), tokens.begin(), tokens.end());
    }
    side_.starts.push_back(std::ssize(side_.tokens));
    side_.reasons.push_back(reason);
    side_.places.push_back(reason == DropReason::none ? "" : place);
  }

  const SideRules& rules_;
  Side& side_;
  std::vector<Pending> pending_;
  std::vector<std::string> texts_;  ///< of the pending lines without a reason
};

Side read_side(const text::LineFiles& files, core::Range lines,
               std::span<const std::int64_t> chunk_lines, const SideRules& rules) {
  Side side;
  SideReader reader(rules, side);
  files.for_each_line(lines, chunk_lines,
                      [&](std::int64_t, std::string_view line, const text::LinePlace& place) {
                        reader.take(line, place.text());
                      });
  reader.finish();
  return side;
}

/// The same of lines in memory, `what` by its number from 1.
Side read_side(std::span<const std::string> lines, const std::string& what,
               const SideRules& rules) {
  Side side;
  SideReader reader(rules, side);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    reader.take(lines[i], fmt::format("{}:{}", what, i + 1));
  }
  reader.finish();
  return side;
}

SideRules rules_of_sources(const PairRules& rules, const text::Tokenizer& tokenizer) {
  return {rules.preprocess.source, rules.source_tokens, DropReason::empty_source,
          DropReason::source_too_long,
          [&tokenizer, frame = tokenizer.source_frame()](std::string_view line) {
            return frame.around(tokenizer.encode_source(line));
          }};
}

SideRules rules_of_targets(const PairRules& rules, const text::Tokenizer& tokenizer) {
  return {rules.preprocess.target, rules.target_tokens, DropReason::empty_target,
          DropReason::target_too_long, [&tokenizer](std::string_view line) {
            auto tokens = tokenizer.encode_target(line);
            if (!tokens.empty()) tokens.push_back(tokenizer.eos());
            return tokens;
          }};
}

void append(const Side& side, std::size_t line, std::vector<core::TokenId>& tokens,
            std::vector<std::int64_t>& starts) {
  tokens.insert(tokens.end(), side.tokens.begin() + side.starts[line],
                side.tokens.begin() + side.starts[line + 1]);
  starts.push_back(std::ssize(tokens));
}

/// Both sides of consecutive lines of the corpus. Throws core::InputError for the first bad pair,
/// unless such are dropped.
SentencePairs pair_up(const Side& source, const Side& target, std::int64_t first_line,
                      bool drop_bad_pairs, const text::Tokenizer& tokenizer) {
  SentencePairs pairs;
  const auto before = std::ssize(tokenizer.source_frame().prefix);
  const auto special = [&](std::size_t i) {
    const auto begin = target.tokens.begin() + target.starts[i];
    const auto end = target.tokens.begin() + target.starts[i + 1] - 1;  // without its own EOS
    return begin < end && std::any_of(begin, end, [&](core::TokenId token) {
             return tokenizer.is_special(token);
           });
  };
  const auto chooses_language = [&](std::size_t i) {
    const auto begin = source.tokens.begin() + source.starts[i] + before;
    return tokenizer.chooses_language({begin, source.tokens.begin() + source.starts[i + 1]});
  };
  for (std::size_t i = 0; i < source.reasons.size(); ++i) {
    const bool source_bad = source.reasons[i] != DropReason::none;
    auto reason = source_bad ? source.reasons[i] : target.reasons[i];
    if (reason == DropReason::none && special(i)) reason = DropReason::special_token;
    const auto line = first_line + static_cast<std::int64_t>(i);
    if (reason == DropReason::none) {
      append(source, i, pairs.source_tokens, pairs.source_starts);
      if (!chooses_language(i)) ++pairs.without_language;
      append(target, i, pairs.target_tokens, pairs.target_starts);
      pairs.lines.push_back(line);
      continue;
    }
    auto place = source_bad ? source.places[i] : target.places[i];
    if (place.empty()) place = fmt::format("pair {} of the corpus", line + 1);
    if (!drop_bad_pairs) {
      throw core::InputError(place,
                             fmt::format("{} (corpus.bad_pairs is stop)", core::name_of(reason)));
    }
    auto& dropped = pairs.dropped[static_cast<std::size_t>(reason)];
    if (dropped.count++ == 0) dropped.first_place = place;
    pairs.dropped_list += fmt::format("{}\t{}\n", line + 1, core::name_of(reason));
  }
  for (const auto* tokens : {&pairs.source_tokens, &pairs.target_tokens}) {
    pairs.unknown_tokens += std::count(tokens->begin(), tokens->end(), tokenizer.unk());
  }
  return pairs;
}

}  // namespace

DropCounts count_dropped(comm::Communicator& comm, const SentencePairs& pairs) {
  DropCounts counts{};
  std::ranges::transform(pairs.dropped, counts.begin(), &Dropped::count);
  comm.all_reduce(counts, comm::Reduction::sum);
  return counts;
}

void require_pairs(comm::Communicator& comm, const SentencePairs& pairs, const std::string& what) {
  if (comm.all_reduce(pairs.count(), comm::Reduction::sum) > 0) return;
  const auto counts = count_dropped(comm, pairs);
  const auto most = std::ranges::max_element(counts) - counts.begin();
  const std::string& mine = pairs.dropped[most].first_place;
  const auto places = comm.all_gather(std::span<const char>(mine));
  std::string why = "it has no lines";
  for (int rank = comm.size(); rank-- > 0;) {  // in the order of their lines
    const auto place = places.of(rank);
    if (place.empty()) continue;
    why = fmt::format("of {} pairs {} are left out for: {}; the first is {}",
                      std::accumulate(counts.begin(), counts.end(), std::int64_t{0}), counts[most],
                      core::name_of(static_cast<DropReason>(most)),
                      std::string_view(place.data(), place.size()));
  }
  comm::agree(comm, [&] { throw core::InputError(what, "holds no usable sentence pair: " + why); });
}

SentencePairs read_sentence_pairs(runtime::StageContext& context, const PairRules& rules,
                                  const text::Tokenizer& tokenizer) {
  auto& comm = context.comm;
  const CorpusOptions& options = rules.corpus;
  if (!rules.preprocess.source.empty() || !rules.preprocess.target.empty()) {
    runtime::agree_on_long_work(context, [&] {
      if (!comm.is_root()) return;
      text::try_filter(rules.preprocess.source);
      text::try_filter(rules.preprocess.target);
    });
  }
  const auto sources = open_lines(context, options.source, rules.scratch / "source");
  const auto targets = open_lines(context, options.target, rules.scratch / "target");
  const auto source_chunks = count_lines(context, sources);
  const auto target_chunks = count_lines(context, targets);
  const auto total = std::accumulate(source_chunks.begin(), source_chunks.end(), std::int64_t{0});
  const auto other = std::accumulate(target_chunks.begin(), target_chunks.end(), std::int64_t{0});
  comm::agree(comm, [&] {
    if (total != other) {
      throw core::InputError(fmt::format("{} and {} have different numbers of lines: {} and {}",
                                         options.source[0].string(), options.target[0].string(),
                                         total, other));
    }
  });

  const auto lines = core::even_part(total, comm.rank(), comm.size());
  SentencePairs pairs;
  runtime::agree_on_long_work(context, [&] {
    pairs = pair_up(read_side(sources, lines, source_chunks, rules_of_sources(rules, tokenizer)),
                    read_side(targets, lines, target_chunks, rules_of_targets(rules, tokenizer)),
                    lines.begin, options.drop_bad_pairs, tokenizer);
  });
  return pairs;
}

SentencePairs pairs_of_lines(std::span<const std::string> sources,
                             std::span<const std::string> targets, const PairRules& rules,
                             const text::Tokenizer& tokenizer) {
  KNNSEQ_ASSERT(sources.size() == targets.size(), "a target for each source");
  return pair_up(read_side(sources, "source", rules_of_sources(rules, tokenizer)),
                 read_side(targets, "target", rules_of_targets(rules, tokenizer)), 0,
                 rules.corpus.drop_bad_pairs, tokenizer);
}

}  // namespace knnseq::stages
