#include "stages/decode/test_set.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "runtime/long_work.hpp"
#include "stages/shared/inputs/open_language.hpp"
#include "stages/shared/translation/block_translator.hpp"
#include "text/files/line_filter.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

std::string join(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// The lines as the command makes them, on all ranks.
std::vector<std::string> preprocess(runtime::StageContext& context, const std::string& command,
                                    const std::vector<std::string>& lines) {
  if (command.empty()) return lines;
  std::string made;
  runtime::agree_on_long_work(context, [&] {
    if (context.comm.is_root()) made = join(text::filter_lines(command, lines));
  });
  return split(context.comm.broadcast_string(made));
}

}  // namespace

TestSet read_test_set(runtime::StageContext& context, const TestSetOptions& options,
                      const text::Tokenizer& tokenizer) {
  TestSet set;
  comm::agree(context.comm, [&] { set.lines = text::read_lines(options.file); });
  const auto prepared = preprocess(context, options.preprocess, set.lines);
  const text::SourceFrame frame = tokenizer.source_frame();
  const std::int64_t most = options.source_positions;
  std::int64_t sentences = 0;
  std::int64_t without_language = 0;
  for (std::size_t i = 0; i < prepared.size(); ++i) {
    const auto tokens = tokenizer.encode_source(prepared[i]);
    if (context.comm.is_root() && std::ssize(tokens) + frame.size() > most) {
      context.log.warn(fmt::format("{}:{}: {} tokens are cut to the model's {} positions",
                                   options.file.string(), i + 1, tokens.size(), most));
    }
    set.sources.push_back(frame.around(tokens, most));
    if (tokens.empty()) continue;
    ++sentences;
    if (!tokenizer.chooses_language(tokens)) ++without_language;
  }
  const auto open = describe_open_language(tokenizer, without_language, sentences);
  if (context.comm.is_root() && !open.empty()) {
    context.log.warn(fmt::format("{}: {}", options.file.string(), open));
  }
  set.blocks = cut_blocks(set.sources, options.block_sentences);
  return set;
}

}  // namespace knnseq::stages
