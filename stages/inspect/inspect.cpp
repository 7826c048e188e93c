#include "stages/inspect/inspect.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/json_field.hpp"
#include "core/parse_json.hpp"
#include "obs/terminal.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/inspect/datastore_sentences.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/search/open_mixer.hpp"
#include "stages/shared/text/sentence_block.hpp"
#include "text/files/line_filter.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

using Tokens = std::vector<core::TokenId>;

const DecodeOptions& decoding_named(const Options& options, const std::string& key,
                                    const std::string& name) {
  for (const auto& decoding : options.decode) {
    if (decoding.name == name) return decoding;
  }
  throw core::InputError(fmt::format("inspect.{}: no item of 'decode' is named '{}'", key, name));
}

/// A finished decoding, whose files are compared with its manifest.
class Decoding {
 public:
  Decoding(const Folders& folders, const std::string& name)
      : folder_(folders.decode / name),
        command_("decode " + name),
        manifest_(runtime::require_manifest(folder_, "decode-" + name, command_)) {}

  bool has(const char* file) const { return manifest_.content_fields().at("files").has(file); }
  std::string path(const char* file) const { return (folder_ / file).string(); }
  std::vector<std::string> lines(const char* file) const {
    return text::read_lines(runtime::require_file(folder_, manifest_, file, command_),
                            text::no_limits);
  }

 private:
  std::filesystem::path folder_;
  std::string command_;
  store::Manifest manifest_;
};

/// Best tokens of every line of a finished decoding; none for an empty line.
std::vector<Tokens> best_tokens(const Decoding& decoding, std::int64_t vocabulary) {
  std::vector<Tokens> best;
  for (const auto& line : decoding.lines("nbest.jsonl")) {
    const std::string where = fmt::format("{}:{}", decoding.path("nbest.jsonl"), best.size() + 1);
    const core::Json json = core::parse_json(line, where);
    const auto nbest = core::JsonField(where, json).at("nbest").elements();
    best.emplace_back();
    if (nbest.empty()) continue;
    for (const auto& token : nbest.front().at("tokens").elements()) {
      best.back().push_back(static_cast<core::TokenId>(token.number(0, vocabulary - 1)));
    }
  }
  return best;
}

/// The line to show: the given one, or the longest that kNN alone translates just as the reference.
std::size_t choose_line(const InspectOptions& options, const std::vector<std::string>& references,
                        const std::vector<std::string>& base, const std::vector<std::string>& knn) {
  if (options.line > 0) {
    if (options.line > std::ssize(knn)) {
      throw core::InputError(
          fmt::format("inspect.line {}: the test set has {} lines", options.line, knn.size()));
    }
    return static_cast<std::size_t>(options.line - 1);
  }
  std::size_t chosen = 0;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < knn.size(); ++i) {
    if (base[i] == knn[i]) continue;
    const bool solved = i < references.size() && knn[i] == references[i];
    const std::size_t length = solved ? 1000 + knn[i].size() : 1;
    if (length > longest) {
      longest = length;
      chosen = i;
    }
  }
  return chosen;
}

struct Case {
  std::string source;
  Tokens base, knn;
  std::size_t position = 0;  ///< of the first token that differs
  std::string text;          ///< what is printed before the neighbours
};

Case read_case(const Options& options, const Folders& folders, std::int64_t vocabulary) {
  const Decoding of_base(folders, options.inspect.base);
  const Decoding of_knn(folders, options.inspect.knn);
  const auto base = best_tokens(of_base, vocabulary);
  const auto knn = best_tokens(of_knn, vocabulary);
  const auto sources = of_knn.lines("src.txt");
  if (sources != of_base.lines("src.txt")) {
    throw core::InputError("inspect.base and inspect.knn are decodings of different test sets");
  }
  const auto base_text = of_base.lines("hyp.txt");
  const auto knn_text = of_knn.lines("hyp.txt");
  std::vector<std::string> references;
  if (of_knn.has("ref.txt")) references = of_knn.lines("ref.txt");

  const auto reference_lines = references.empty() ? sources.size() : references.size();
  for (const std::size_t lines :
       {base.size(), knn.size(), base_text.size(), knn_text.size(), reference_lines}) {
    if (lines == sources.size()) continue;
    throw core::InputError(of_knn.path("nbest.jsonl"),
                           "the files of both decodings have different numbers of lines");
  }
  if (knn.empty()) throw core::InputError("the test set of inspect.knn is empty");
  Case shown;
  const auto line = choose_line(options.inspect, references, base_text, knn_text);
  shown.source = sources[line];
  shown.base = base[line];
  shown.knn = knn[line];
  const auto shorter = std::min(shown.base.size(), shown.knn.size());
  while (shown.position < shorter && shown.base[shown.position] == shown.knn[shown.position]) {
    ++shown.position;
  }
  shown.text = fmt::format("Line {} of the test set\n  source     {}\n", line + 1,
                           obs::printable(shown.source));
  if (!references.empty())
    shown.text += fmt::format("  reference  {}\n", obs::printable(references[line]));
  shown.text += fmt::format("  base       {}\n  kNN        {}\n", obs::printable(base_text[line]),
                            obs::printable(knn_text[line]));
  return shown;
}

std::string token_text(const text::Tokenizer& tokenizer, const Tokens& tokens,
                       std::size_t position) {
  if (position >= tokens.size()) return "(nothing)";
  if (position + 1 == tokens.size()) return "(end of sentence)";
  return fmt::format(
      "'{}'", obs::printable(tokenizer.decode_target(std::span(tokens).subspan(position, 1))));
}

}  // namespace

void inspect(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("inspect");
  auto& comm = context.comm;
  const Folders folders(context.run_dir);
  Case shown;
  std::unique_ptr<text::Tokenizer> tokenizer;
  std::unique_ptr<model::TranslationModel> model;
  DecodeOptions decoding;
  comm::agree(comm, [&] {
    decoding_named(options, "base", options.inspect.base);
    decoding = decoding_named(options, "knn", options.inspect.knn);
    if (!decoding.knn) throw core::InputError("inspect.knn names a decoding without kNN");
    tokenizer = open_tokenizer(options);
    model = open_search_model(context, options, decoding, *tokenizer);
    shown = read_case(options, folders, tokenizer->vocab_size());
  });
  const auto data = check_data(context, options, decoding);
  if (shown.base == shown.knn) {
    if (comm.is_root()) obs::print(shown.text + "  Both are the same, token by token.\n");
    return;
  }

  // The query of the token at which they differ: both have the same prefix.
  at::Tensor queries;
  at::Tensor log_probs;
  retrieval::SentenceBlock block;
  comm::on_root(comm, [&] {
    std::vector<std::string> line = {shown.source};
    if (!options.preprocess.source.empty()) {
      line = text::filter_lines(options.preprocess.source, line);
    }
    const std::vector<Tokens> source = {tokenizer->source_frame().around(
        tokenizer->encode_source(line.front()), model->info().source_positions)};
    const auto forced = std::ssize(model->info().forced_tokens);  // no positions of a target
    Tokens target = shown.knn.size() > shown.position ? shown.knn : shown.base;
    target.erase(target.begin(), target.begin() + forced);
    const auto made =
        model->teacher_force(source, {&target, 1}, {decoding.beam.key, false, /*log_probs=*/true});
    const auto row = static_cast<std::int64_t>(shown.position) - forced;
    queries = made.keys.slice(0, row, row + 1).cpu().contiguous();
    log_probs = made.log_probs.slice(0, row, row + 1).cpu().contiguous();
    block = make_sentence_block(options.subset, *tokenizer, source, model->encode(source));
  });
  Resident resident;
  auto mixer = open_mixer(context, options, decoding, data, resident);
  mixer.begin(block);
  at::Tensor mixed;
  std::vector<retrieval::NeighbourShare> neighbours;
  std::vector<std::int64_t> entries;
  if (comm.is_root()) {
    mixed = log_probs.clone();
    const std::vector<std::int64_t> sentence = {0};
    neighbours = mixer.mix_and_explain(queries, sentence, mixed).front().front();
    neighbours.resize(
        std::min(neighbours.size(), static_cast<std::size_t>(options.inspect.neighbours)));
    for (const auto& [neighbour, share] : neighbours) {
      entries.push_back(core::entry_number_of(neighbour.id));
    }
  } else if (mixer.collective()) {
    mixer.serve();
  }
  entries = comm.all_gather(std::span<const std::int64_t>(entries)).values;
  const auto sentences = find_sentences(
      comm, data.subset ? BuiltDatastore{{}, {data.subset->corpus}} : data.datastores.front(),
      entries, *tokenizer);
  if (!comm.is_root()) return;

  const auto probability = [&](const Tokens& tokens, const at::Tensor& of) {
    return shown.position < tokens.size() ? std::exp(of[0][tokens[shown.position]].item<float>())
                                          : 0.0f;
  };
  std::string text = fmt::format(
      "{}  token {}: base {} (p_mt {:.3f}, p {:.3f}), kNN {} (p_mt {:.3f}, p {:.3f})\n", shown.text,
      shown.position + 1, token_text(*tokenizer, shown.base, shown.position),
      probability(shown.base, log_probs), probability(shown.base, mixed),
      token_text(*tokenizer, shown.knn, shown.position), probability(shown.knn, log_probs),
      probability(shown.knn, mixed));
  text += fmt::format("  its nearest of k = {} neighbours:\n  {:>9} {:>7}  datastore sentence\n",
                      decoding.search.k, "distance", "p_knn");
  if (neighbours.empty()) text += "  (none: the search was skipped, or found nothing)\n";
  for (const auto& [neighbour, share] : neighbours) {
    const auto sentence = sentences.find(core::entry_number_of(neighbour.id));
    if (sentence == sentences.end()) throw core::InputError("an entry is not in the corpus shards");
    const auto& [corpus, source, target, line] = sentence->second;
    text += fmt::format("  {:>9.2f} {:>7.3f}  {}\n  {:>18} {}  (line {}{})\n", neighbour.distance,
                        share, obs::printable(target), "<-", obs::printable(source), line,
                        corpus.empty() ? "" : " of append." + corpus);
  }
  obs::print(text);
}

}  // namespace knnseq::stages
