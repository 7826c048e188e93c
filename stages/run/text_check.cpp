#include "stages/run/text_check.hpp"

#include <cmath>
#include <functional>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "runtime/long_work.hpp"
#include "stages/shared/inputs/manifests.hpp"
#include "text/files/line_filter.hpp"
#include "text/files/read_lines.hpp"
#include "text/files/text_facts.hpp"

namespace knnseq::stages {

namespace {

namespace fs = std::filesystem;

/// Lines of a file that are tokenised to estimate its tokens: within about one percent.
constexpr std::size_t sampled_lines = 2000;

enum class TextSide { source, target };

/// A file of a corpus, and what was found in it.
struct CorpusFile {
  fs::path path;
  TextSide side = TextSide::source;
  std::size_t corpus = 0;  ///< among those that are read
  bool drops_bad_lines = true;
};

struct Counts {
  std::int64_t lines = 0;
  std::int64_t tokens = 0;  ///< estimated, with an EOS a line
};

/// Tokens of the whole file, by those of its sample.
std::int64_t estimate_tokens(const text::TextFacts& facts, const text::Tokenizer& tokenizer,
                             TextSide side, const std::string& preprocess) {
  const bool source = side == TextSide::source;
  const auto lines =
      preprocess.empty() ? facts.sample : text::filter_lines(preprocess, facts.sample);
  std::int64_t tokens = 0;
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    bytes += std::ssize(facts.sample[i]);
    tokens +=
        std::ssize(source ? tokenizer.encode_source(lines[i]) : tokenizer.encode_target(lines[i]));
  }
  const auto frame = source ? tokenizer.source_frame().size() : 1;
  const double a_byte =
      static_cast<double>(tokens) / static_cast<double>(std::max<std::int64_t>(bytes, 1));
  return std::llround(a_byte * static_cast<double>(facts.bytes)) + frame * facts.lines;
}

text::TextFacts facts_of(const fs::path& file, std::size_t sample) {
  auto facts = text::read_text_facts(file, sample);
  if (!facts.is_otherwise_encoded()) return facts;
  throw core::InputError(text::describe_encoding(file, facts));
}

/// What one rank finds in one file.
Counts look_at(const CorpusFile& file, const Options& options, const text::Tokenizer* tokenizer) {
  const auto facts = facts_of(file.path, tokenizer == nullptr ? 0 : sampled_lines);
  if (facts.invalid > 0 && !file.drops_bad_lines) {
    throw core::InputError(
        fmt::format("{}:{}: invalid text (not UTF-8, or with NUL), and corpus.bad_pairs is stop",
                    file.path.string(), facts.first_invalid));
  }
  Counts counts{facts.lines, 0};
  if (tokenizer == nullptr) return counts;
  const auto& preprocess = options.preprocess;
  counts.tokens =
      estimate_tokens(facts, *tokenizer, file.side,
                      file.side == TextSide::source ? preprocess.source : preprocess.target);
  return counts;
}

/// What partition has counted, if it is finished. What is wrong with its manifest is for partition
/// to say, with the remedy.
std::optional<CorpusSize> counted_size(const CorpusPaths& paths) {
  try {
    const auto manifest = store::read_manifest(paths.text / "manifest.json");
    if (!manifest) return {};
    const auto corpus = CorpusManifest::from_json(*manifest);
    CorpusSize size{corpus.sentences, 0, corpus.entries, false};
    for (const auto& [name, shard] : corpus.of_shards.items()) {
      size.source_tokens += shard.value("source_tokens", std::int64_t{0});
    }
    return size;
  } catch (const core::InputError&) {
    return {};
  }
}

std::string files_text(const std::vector<fs::path>& files) {
  return files.front().string() + (files.size() > 1 ? " …" : "");
}

/// Lines of texts, each file read once.
class Texts {
 public:
  /// Reads a file and gives its lines; throws core::InputError.
  using Count = std::function<std::int64_t(const fs::path& file)>;

  Texts(Count count, Problems& problems) : count_(std::move(count)), problems_(problems) {}

  /// Two files that must have the same number of lines; no names: they are not in the config.
  void check_pair(const fs::path& source, const fs::path& target) {
    if (source.empty() || target.empty()) return;
    const auto left = lines_of(source);
    const auto right = lines_of(target);
    if (!left || !right || left == right) return;
    problems_.note(
        fmt::format("{} has {} lines, {} has {}", source.string(), *left, target.string(), *right));
  }

  /// Nothing if the file cannot be used.
  std::optional<std::int64_t> lines_of(const fs::path& file) {
    const auto [found, is_new] = lines_.try_emplace(file);
    if (is_new) {
      problems_.look([&] { found->second = count_(file); });
    }
    return found->second;
  }

 private:
  Count count_;
  Problems& problems_;
  std::map<fs::path, std::optional<std::int64_t>> lines_;
};

}  // namespace

CorpusSize check_corpora(runtime::StageContext& context, const Options& options,
                         const text::Tokenizer* tokenizer, Problems& problems) {
  auto& comm = context.comm;
  auto corpora = appended_corpora(options);
  if (!options.foreign.on()) corpora.insert(corpora.begin(), first_corpus(options));
  CorpusSize total;
  total.estimated = false;
  std::vector<CorpusFile> files;
  std::vector<CorpusOptions> unread;
  for (const auto& paths : corpora) {
    std::optional<CorpusSize> counted;
    if (context.force == runtime::StageContext::Force::no) counted = counted_size(paths);
    if (counted) {
      total += *counted;
      continue;
    }
    for (const auto& path : paths.corpus.source) {
      files.push_back({path, TextSide::source, unread.size(), paths.corpus.drop_bad_pairs});
    }
    for (const auto& path : paths.corpus.target) {
      files.push_back({path, TextSide::target, unread.size(), paths.corpus.drop_bad_pairs});
    }
    unread.push_back(paths.corpus);
  }

  // For each file its lines and tokens; −1 lines: it cannot be used.
  std::vector<std::int64_t> lines(files.size(), 0);
  std::vector<std::int64_t> tokens(files.size(), 0);
  runtime::agree_on_long_work(context, [&] {
    for (auto i = static_cast<std::size_t>(comm.rank()); i < files.size();
         i += static_cast<std::size_t>(comm.size())) {
      lines[i] = -1;
      problems.look([&] {
        const auto counts = look_at(files[i], options, tokenizer);
        lines[i] = counts.lines;
        tokens[i] = counts.tokens;
      });
    }
  });
  comm.all_reduce(lines, comm::Reduction::sum);
  comm.all_reduce(tokens, comm::Reduction::sum);

  for (std::size_t corpus = 0; corpus < unread.size(); ++corpus) {
    Counts sides[2];
    bool usable = true;
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (files[i].corpus != corpus) continue;
      auto& side = sides[static_cast<std::size_t>(files[i].side)];
      usable = usable && lines[i] >= 0;
      side.lines += lines[i];
      side.tokens += tokens[i];
    }
    const auto& [source, target] = sides;
    if (usable && source.lines != target.lines) {
      problems.note(fmt::format("{} and {} have different numbers of lines: {} and {}",
                                files_text(unread[corpus].source),
                                files_text(unread[corpus].target), source.lines, target.lines));
    }
    if (usable) total += {source.lines, source.tokens, target.tokens, true};
  }
  return total;
}

void check_test_sets(const Options& options, Problems& problems) {
  Texts test_sets([](const fs::path& file) { return std::ssize(text::read_lines(file)); },
                  problems);
  for (const auto& decoding : options.decode) {
    if (decoding.reference) {
      test_sets.check_pair(decoding.source, *decoding.reference);
    } else {
      test_sets.lines_of(decoding.source);
    }
  }
  test_sets.check_pair(options.tune.decoding.source, *options.tune.decoding.reference);
  test_sets.check_pair(options.tune.general.source, options.tune.general.reference);
  // Of held-out text, as of a corpus, pairs may be left out.
  Texts held_out([](const fs::path& file) { return facts_of(file, 0).lines; }, problems);
  held_out.check_pair(options.sweep.source, options.sweep.target);
}

}  // namespace knnseq::stages
