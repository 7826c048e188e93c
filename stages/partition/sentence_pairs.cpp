#include "stages/partition/sentence_pairs.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "text/gzip.hpp"
#include "text/line_files.hpp"
#include "text/utf8.hpp"

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

struct SideNames {
  DropReason empty, too_long;
};

/// Files to read: the given ones, with gzipped ones unpacked.
std::vector<fs::path> plain_files(comm::Communicator& comm, const std::vector<fs::path>& files,
                                  const fs::path& scratch) {
  std::vector<fs::path> plain = files;
  comm::agree(comm, [&] {
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (!text::is_gzip_file(files[i])) continue;
      plain[i] = scratch / fmt::format("{}-{}", i, files[i].filename().string());
      if (static_cast<int>(i) % comm.size() == comm.rank()) text::gunzip_file(files[i], plain[i]);
    }
  });
  return plain;
}

/// Lines of each chunk; every rank counts some chunks.
std::vector<std::int64_t> count_lines(comm::Communicator& comm, const text::LineFiles& files) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(files.chunk_count()), 0);
  comm::agree(comm, [&] {
    for (std::int64_t i = comm.rank(); i < files.chunk_count(); i += comm.size()) {
      counts[static_cast<std::size_t>(i)] = files.count_lines_in_chunk(i);
    }
  });
  comm.all_reduce(counts, comm::Reduction::sum);
  return counts;
}

/// encode: std::vector<TokenId>(std::string_view). A line that is dropped leaves no tokens.
template <class Encode>
Side read_side(const text::LineFiles& files, core::Range lines,
               std::span<const std::int64_t> chunk_lines, const model::ModelInfo& info,
               SideNames names, Encode encode) {
  Side side;
  const auto most = static_cast<std::size_t>(info.max_positions);
  files.for_each_line(lines, chunk_lines,
                      [&](std::int64_t, std::string_view line, const text::LinePlace& place) {
                        auto reason = DropReason::none;
                        std::vector<core::TokenId> tokens;
                        if (line.size() > most * most_bytes_per_token) {
                          reason = names.too_long;
                        } else if (!text::is_valid_text(line)) {
                          reason = DropReason::invalid_text;
                        } else if (text::strip(line).empty()) {
                          reason = names.empty;
                        } else {
                          tokens = encode(line);
                          tokens.push_back(info.eos);
                          if (tokens.size() == 1) reason = names.empty;
                          if (tokens.size() > most) reason = names.too_long;
                        }
                        if (reason == DropReason::none) {
                          side.tokens.insert(side.tokens.end(), tokens.begin(), tokens.end());
                        }
                        side.starts.push_back(std::ssize(side.tokens));
                        side.reasons.push_back(reason);
                        side.places.push_back(reason == DropReason::none ? "" : place.text());
                      });
  return side;
}

void append(const Side& side, std::size_t line, std::vector<core::TokenId>& tokens,
            std::vector<std::int64_t>& starts) {
  tokens.insert(tokens.end(), side.tokens.begin() + side.starts[line],
                side.tokens.begin() + side.starts[line + 1]);
  starts.push_back(std::ssize(tokens));
}

}  // namespace

const char* to_string(DropReason reason) {
  switch (reason) {
    case DropReason::none:
      return "kept";
    case DropReason::empty_source:
      return "empty source";
    case DropReason::empty_target:
      return "empty target";
    case DropReason::invalid_text:
      return "invalid text (not UTF-8, or with NUL)";
    case DropReason::special_token:
      return "target with a special token";
    case DropReason::source_too_long:
      return "source longer than the model's positions";
    case DropReason::target_too_long:
      return "target longer than the model's positions";
  }
  return "";
}

SentencePairs read_sentence_pairs(comm::Communicator& comm, const CorpusOptions& options,
                                  const fs::path& scratch, const text::Tokenizer& tokenizer,
                                  const model::ModelInfo& info) {
  std::optional<text::LineFiles> sources, targets;
  const auto source_files = plain_files(comm, options.source, scratch / "source");
  const auto target_files = plain_files(comm, options.target, scratch / "target");
  comm::agree(comm, [&] {
    sources.emplace(source_files);
    targets.emplace(target_files);
  });
  const auto source_chunks = count_lines(comm, *sources);
  const auto target_chunks = count_lines(comm, *targets);
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
  comm::agree(comm, [&] {
    const Side source =
        read_side(*sources, lines, source_chunks, info,
                  {DropReason::empty_source, DropReason::source_too_long},
                  [&](std::string_view line) { return tokenizer.encode_source(line); });
    const Side target =
        read_side(*targets, lines, target_chunks, info,
                  {DropReason::empty_target, DropReason::target_too_long},
                  [&](std::string_view line) { return tokenizer.encode_target(line); });
    const auto special = [&](std::size_t i) {
      const auto begin = target.tokens.begin() + target.starts[i];
      const auto end = target.tokens.begin() + target.starts[i + 1] - 1;  // without its own EOS
      return begin < end && std::any_of(begin, end, [&](core::TokenId token) {
               return token == info.eos || token == info.pad;
             });
    };
    for (std::size_t i = 0; i < source.reasons.size(); ++i) {
      const bool source_bad = source.reasons[i] != DropReason::none;
      auto reason = source_bad ? source.reasons[i] : target.reasons[i];
      if (reason == DropReason::none && special(i)) reason = DropReason::special_token;
      const auto line = lines.begin + static_cast<std::int64_t>(i);
      if (reason == DropReason::none) {
        append(source, i, pairs.source_tokens, pairs.source_starts);
        append(target, i, pairs.target_tokens, pairs.target_starts);
        pairs.lines.push_back(line);
        continue;
      }
      if (!options.drop_bad_pairs) {
        const auto& place = source_bad ? source.places[i] : target.places[i];
        throw core::InputError(
            place.empty() ? fmt::format("pair {} of the corpus", line + 1) : place,
            fmt::format("{} (corpus.bad_pairs is stop)", to_string(reason)));
      }
      ++pairs.dropped[static_cast<std::size_t>(reason)];
      pairs.dropped_list += fmt::format("{}\t{}\n", line + 1, to_string(reason));
    }
  });
  for (const auto* tokens : {&pairs.source_tokens, &pairs.target_tokens}) {
    pairs.unknown_tokens += std::count(tokens->begin(), tokens->end(), tokenizer.unk());
  }
  return pairs;
}

}  // namespace knnseq::stages
