#include "stages/translate/translate.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "obs/terminal.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/shared/translation/chosen_decoding.hpp"
#include "stages/shared/translation/json_request.hpp"
#include "stages/translate/line_source.hpp"

namespace knnseq::stages {

namespace {

/// Writes lines in the order of their numbers, as soon as all before them are there.
class OrderedLines {
 public:
  void put(std::size_t number, std::string line) {
    waiting_[number] = std::move(line);
    std::string ready;
    while (!waiting_.empty() && waiting_.begin()->first == next_) {
      ready += waiting_.begin()->second + "\n";
      waiting_.erase(waiting_.begin());
      ++next_;
    }
    if (!ready.empty()) obs::write_data(ready);
  }

 private:
  std::size_t next_ = 0;
  std::map<std::size_t, std::string> waiting_;
};

/// Plain lines. Returns why it goes on no further: a line that is no text, after those before it.
std::string translate_lines(ResidentTranslator& translator, const std::vector<InputLine>& lines) {
  std::vector<TranslationRequest> requests;
  for (const auto& line : lines) {
    if (!line.error.empty()) break;
    requests.push_back({.line = line.text, .prefix = {}});
  }
  OrderedLines output;
  std::string refused;
  translator.translate(requests, [&](std::size_t request, const TranslationAnswer& answer) {
    if (!answer.error.empty()) refused = answer.error;
    output.put(request, answer.texts.empty() ? "" : answer.texts.front());
  });
  if (!refused.empty() || requests.size() == lines.size()) return refused;
  const auto& bad = lines[requests.size()];
  return fmt::format("standard input:{}: {}", bad.number, bad.error);
}

/// Requests as JSON; a bad one has an answer that says why.
void translate_objects(ResidentTranslator& translator, const std::vector<InputLine>& lines) {
  std::vector<JsonRequest> requests;
  std::vector<TranslationRequest> readable;
  std::vector<std::size_t> places;  // of those among all
  OrderedLines output;
  const auto put = [&](std::size_t place, const TranslationAnswer& answer) {
    auto json = answer_of(requests[place], answer);
    if (json.contains("error")) json["error"]["line"] = lines[place].number;
    output.put(place, obs::printable_json(json.dump()));
  };
  for (const auto& line : lines) {
    requests.push_back(line.error.empty() ? read_request(line.text) : JsonRequest{});
    if (!line.error.empty()) requests.back().error = line.error;
    if (!requests.back().error.empty()) continue;
    places.push_back(requests.size() - 1);
    readable.push_back(requests.back().request);
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!requests[i].error.empty()) put(i, {});
  }
  translator.translate(readable, [&](std::size_t request, const TranslationAnswer& answer) {
    put(places[request], answer);
  });
}

/// Until the end of the input, or until SIGUSR1 comes or a plain line is no text: then that is
/// returned, for all ranks to throw.
std::exception_ptr translate_input(const TranslateOptions& options, LineSource& input,
                                   ResidentTranslator& translator) {
  constexpr double patience_seconds = 0.5;
  while (!input.ended()) {
    if (runtime::stop_requested()) {
      return std::make_exception_ptr(
          core::Stopped("stopped by SIGUSR1; what was read is translated"));
    }
    const auto lines = input.take(patience_seconds);
    if (lines.empty()) {
      translator.keep_alive();
    } else if (options.jsonl) {
      translate_objects(translator, lines);
    } else if (const auto refused = translate_lines(translator, lines); !refused.empty()) {
      return std::make_exception_ptr(core::InputError(refused));
    }
  }
  return {};
}

}  // namespace

void translate_stdin(runtime::StageContext& context, const Options& options,
                     const std::vector<std::string>& names) {
  context.log.set_stage("translate");
  DecodeOptions decoding;
  comm::agree(context.comm, [&] { decoding = choose_decoding(options, names, "translate"); });
  std::optional<LineSource> input;  // which reads while the model is loaded
  if (context.comm.is_root()) input.emplace(STDIN_FILENO, options.translate.batch);
  log_settings(context, options, decoding, names);
  ResidentTranslator translator(context, options, decoding);
  if (!context.comm.is_root()) return translator.serve();
  translator.end(translate_input(options.translate, *input, translator));
}

}  // namespace knnseq::stages
