#include "stages/shared/trace/trace.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <span>
#include <utility>

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "core/entry_id.hpp"
#include "obs/resources.hpp"
#include "stages/shared/search/decoding_settings.hpp"
#include "stages/shared/text/sentence_block.hpp"
#include "stages/shared/trace/plane.hpp"
#include "stages/shared/trace/token_texts.hpp"
#include "text/output_line.hpp"

namespace knnseq::stages {

namespace {

using Json = core::Json;
using Token = core::TokenId;

/// How much the neighbours of one token count together, and each token among them.
struct Mixture {
  double lambda = 0;
  std::vector<double> parts;  ///< [datastores]: of p_knn; sum 1, or 0 without neighbours
  std::map<Token, double> p_knn;
};

/// The datastores went in one after the other: what comes later takes its λ from all before it.
Mixture mixture_of(const std::vector<const retrieval::Explained*>& of_datastores) {
  Mixture mixture;
  std::vector<double> weights(of_datastores.size());
  double rest = 1;
  double found = 0;
  for (std::size_t i = of_datastores.size(); i-- > 0;) {
    if (of_datastores[i]->neighbours.empty()) continue;
    ++found;
    weights[i] = rest * static_cast<double>(of_datastores[i]->lambda);
    rest *= 1 - static_cast<double>(of_datastores[i]->lambda);
  }
  mixture.lambda = 1 - rest;
  for (std::size_t i = 0; i < of_datastores.size(); ++i) {
    const auto& neighbours = of_datastores[i]->neighbours;
    const double equal = neighbours.empty() ? 0 : 1 / found;
    mixture.parts.push_back(mixture.lambda > 0 ? weights[i] / mixture.lambda : equal);
    for (const auto& [neighbour, share] : neighbours) {
      mixture.p_knn[core::token_of(neighbour.id)] += mixture.parts[i] * static_cast<double>(share);
    }
  }
  return mixture;
}

/// The tokens of the largest log-probs of each row, [rows, count] on the host.
at::Tensor best_tokens_of(const at::Tensor& log_probs, const at::Tensor& never,
                          std::int64_t count) {
  const at::Tensor possible = log_probs.index_fill(1, never.to(log_probs.device()),
                                                   -std::numeric_limits<float>::infinity());
  const auto most = std::min(count, possible.size(1));
  return std::get<1>(possible.topk(most, 1)).to(at::kCPU).contiguous();
}

/// Datastore sentences whose keys are computed together, at most. The batches of a trace are its
/// own: they do not depend on ranks.
constexpr std::size_t sentences_at_once = 32;

/// Whether it is one of text: an imported entry has a source that is its end alone.
bool has_text(const DatastoreSentence& sentence) { return sentence.source.size() > 1; }

/// Explains one translation after the other.
class Tracer {
 public:
  Tracer(const TracedDecoding& traced, const TraceOptions& how) : traced_(traced), how_(how) {
    const auto& info = traced.model.info();
    auto never = text::ids_without_token(traced.tokenizer, info.vocab_size);
    never.insert(never.end(), info.bad_tokens.begin(), info.bad_tokens.end());
    never.push_back(info.pad);
    const std::vector<std::int64_t> ids(never.begin(), never.end());
    never_ = at::tensor(ids, at::kLong);
    unchosen_.insert(ids.begin(), ids.end());
  }

  /// The trace without the datastore's sentences, and the queries [explained tokens, d] if planes
  /// are wanted of them. Collective where the search is: a rank without a translation calls
  /// serve().
  std::pair<Json, at::Tensor> explain(const TracedTranslation& translation) {
    Json trace = head(translation);
    at::Tensor queries;
    const auto& source = translation.source_tokens;
    const model::Sentences sources(&source, source.empty() ? 0 : 1);
    if (traced_.memory != nullptr) {
      explain_memory(sources, trace);
    } else {
      queries = explain_tokens(translation, sources, trace);
    }
    return {std::move(trace), how_.plane ? queries : at::Tensor()};
  }

  void serve() {
    if (traced_.memory != nullptr && traced_.memory->begins_together()) {
      traced_.memory->find_nearest({});
    }
    if (traced_.mixer == nullptr) return;
    if (traced_.mixer->begins_together()) traced_.mixer->begin({});
    if (traced_.mixer->collective()) traced_.mixer->serve();
  }

  /// Adds the sentences that its neighbours come from, each once.
  void add_sentences(const std::vector<DatastoreSentence>& found, Json& trace) const {
    std::map<std::size_t, std::size_t> places;  // in `found`: in the trace
    auto& sentences = trace["sentences"] = Json::array();
    for_each_neighbour(trace, [&](Json& neighbour) {
      const EntryPlace entry{neighbour.at("datastore"), neighbour.at("entry")};
      const auto at = sentence_of(found, entry);
      const auto [place, is_new] = places.emplace(at, places.size());
      if (is_new) sentences.push_back(describe(found[at]));
      neighbour["sentence"] = place->second;
      neighbour["position"] = entry.entry - found[at].first_entry;
    });
  }

  /// Adds where the query and the neighbours of each token lie. The neighbours' keys are computed
  /// again, from the sentences that they come from: not every datastore stores them. A token with a
  /// neighbour that was imported without a sentence has no plane. queries: as explain() gave them.
  void add_planes(const std::vector<DatastoreSentence>& found, const at::Tensor& queries,
                  Json& trace) const {
    if (!queries.defined()) return;
    std::map<std::size_t, std::int64_t> rows;  // in `found`: the sentence's first one in `keys`
    std::vector<std::size_t> order;
    std::int64_t count = 0;
    for_each_neighbour(trace, [&](const Json& neighbour) {
      const auto at = sentence_of(found, {neighbour.at("datastore"), neighbour.at("entry")});
      if (!has_text(found[at]) || !rows.emplace(at, count).second) return;
      order.push_back(at);
      count += std::ssize(found[at].target);
    });
    std::vector<at::Tensor> keys;
    for (std::size_t i = 0; i < order.size(); i += sentences_at_once) {
      std::vector<std::vector<Token>> sources, targets;
      for (const auto at :
           std::span(order).subspan(i).first(std::min(sentences_at_once, order.size() - i))) {
        sources.push_back(found[at].source);
        targets.push_back(found[at].target);
      }
      keys.push_back(
          traced_.model.teacher_force(sources, targets, {traced_.decoding.beam.key}).keys);
    }
    if (keys.empty()) return;
    const at::Tensor all = at::cat(keys);
    std::int64_t row = 0;
    for (auto& token : trace["target"]["tokens"]) {
      if (!token.contains("p")) continue;
      const at::Tensor query = queries[row++];
      if (!token.contains("neighbours") || token["neighbours"].empty()) continue;
      std::vector<at::Tensor> points = {query};
      for (const auto& neighbour : token["neighbours"]) {
        const auto at = sentence_of(found, {neighbour.at("datastore"), neighbour.at("entry")});
        if (!has_text(found[at])) break;
        points.push_back(all[rows.at(at) + neighbour.at("position").get<std::int64_t>()]);
      }
      if (points.size() <= token["neighbours"].size()) continue;
      const auto [places, variance] = principal_plane(at::stack(points));
      Json numbers = Json::array();
      for (const auto& [x, y] : places) {
        numbers.push_back({short_number(x), short_number(y)});
      }
      token["plane"] = {{"query", numbers.front()}, {"variance", short_number(variance)}};
      numbers.erase(0);
      token["plane"]["neighbours"] = std::move(numbers);
    }
  }

  /// Calls visit(neighbour) for all of a trace.
  template <class Visit>
  static void for_each_neighbour(Json& trace, Visit visit) {
    if (auto& memory = trace["memory"]; memory.is_object()) visit(memory);
    for (auto& token : trace["target"]["tokens"]) {
      if (!token.contains("neighbours")) continue;
      for (auto& neighbour : token["neighbours"]) visit(neighbour);
    }
  }

 private:
  Json head(const TracedTranslation& translation) const {
    const auto& tokenizer = traced_.tokenizer;
    Json source_tokens = Json::array();
    Json target_tokens = Json::array();
    if (!translation.source_tokens.empty()) {
      const auto own = own_tokens(translation.source_tokens, tokenizer.source_frame());
      const auto texts = source_texts(tokenizer, own);
      for (std::size_t i = 0; i < own.size(); ++i) {
        source_tokens.push_back({{"token", own[i]}, {"text", texts.pieces[i]}});
      }
    }
    const auto texts = target_texts(tokenizer, translation.target);
    for (std::size_t i = 0; i < translation.target.size(); ++i) {
      target_tokens.push_back({{"token", translation.target[i]}, {"text", texts.pieces[i]}});
    }
    return {
        {"version", trace_version},
        {"settings", describe_settings(traced_.options, traced_.decoding)},
        {"end_token", traced_.model.info().eos},
        {"source", {{"text", text::output_line(translation.source)}, {"tokens", source_tokens}}},
        {"target", {{"text", texts.text}, {"tokens", target_tokens}}},
        {"memory", nullptr},
        {"sentences", Json::array()},
        {"seconds", {{"model", 0}, {"search", 0}}}};
  }

  void explain_memory(model::Sentences sources, Json& trace) {
    const obs::Stopwatch of_model;
    retrieval::SentenceBlock block;
    if (!sources.empty()) block = block_of(sources);
    trace["seconds"]["model"] = short_number(of_model.seconds());
    const obs::Stopwatch of_search;
    const auto nearest = traced_.memory->find_nearest(block);
    trace["seconds"]["search"] = short_number(of_search.seconds());
    if (nearest.empty() || nearest.front().first_entry < 0) return;
    trace["memory"] = {{"datastore", 0},
                       {"entry", nearest.front().first_entry},
                       {"distance", short_number(nearest.front().distance)}};
  }

  /// Returns the queries.
  at::Tensor explain_tokens(const TracedTranslation& translation, model::Sentences sources,
                            Json& trace) {
    const auto& forced_tokens = traced_.model.info().forced_tokens;
    const auto forced = std::min(forced_tokens.size(), translation.target.size());
    for (std::size_t i = 0; i < forced; ++i) trace["target"]["tokens"][i]["forced"] = true;
    const std::vector<Token> target(
        translation.target.begin() + static_cast<std::ptrdiff_t>(forced), translation.target.end());
    if (sources.empty() || target.empty()) {
      serve();
      return {};
    }
    const obs::Stopwatch of_model;
    const auto made = traced_.model.teacher_force(
        sources, {&target, 1}, {traced_.decoding.beam.key, false, /*log_probs=*/true});
    const at::Tensor log_probs = made.log_probs.contiguous();
    const at::Tensor mixed = log_probs.clone();
    retrieval::KnnMixer::Explanation explanation;
    retrieval::SentenceBlock block;
    if (traced_.mixer != nullptr && traced_.mixer->in_subsets()) block = block_of(sources);
    trace["seconds"]["model"] = short_number(of_model.seconds());
    const obs::Stopwatch of_search;
    if (traced_.mixer != nullptr) {
      traced_.mixer->begin(block);
      const std::vector<std::int64_t> sentences(target.size(), 0);
      explanation = traced_.mixer->mix_and_explain(made.keys, sentences, mixed);
      traced_.mixer->check();
    }
    trace["seconds"]["search"] = short_number(of_search.seconds());
    const at::Tensor best = best_tokens_of(log_probs, never_, how_.candidates);
    const at::Tensor best_mixed = best_tokens_of(mixed, never_, how_.candidates);
    const at::Tensor p_mt = log_probs.to(at::kCPU);
    const at::Tensor p = mixed.to(at::kCPU);
    for (std::size_t i = 0; i < target.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      std::vector<const retrieval::Explained*> of_datastores;
      for (const auto& of_datastore : explanation) of_datastores.push_back(&of_datastore[i]);
      std::set<Token> tokens = {target[i]};
      for (const auto* ranked : {&best, &best_mixed}) {
        const auto* first = (*ranked)[row].const_data_ptr<std::int64_t>();
        for (std::int64_t j = 0; j < ranked->size(1); ++j)
          tokens.insert(static_cast<Token>(first[j]));
      }
      if (const auto also = translation.also.find(static_cast<std::int64_t>(i + forced));
          also != translation.also.end()) {
        tokens.insert(also->second);
      }
      auto& token = trace["target"]["tokens"][i + forced];
      token.update(explain_token(target[i], of_datastores, std::move(tokens), {p_mt[row], p[row]}));
      if (!is_whole(translation, static_cast<std::int64_t>(i + forced))) {
        token.erase("candidates");
        token.erase("neighbours");
      }
    }
    return made.keys;
  }

  /// Whether a token has candidates and neighbours.
  bool is_whole(const TracedTranslation& translation, std::int64_t place) const {
    if (translation.explained) return translation.explained->contains(place);
    return how_.tokens.empty() || std::ranges::count(how_.tokens, place) > 0;
  }

  struct LogProbs {
    at::Tensor model, mixture;  ///< [V]
  };

  /// tokens: candidates beside those of the neighbours.
  Json explain_token(Token chosen, const std::vector<const retrieval::Explained*>& of_datastores,
                     std::set<Token> tokens, const LogProbs& log_probs) const {
    const Mixture mixture = mixture_of(of_datastores);
    const auto probabilities = [&](Token token) -> Json {
      const auto p_knn = mixture.p_knn.find(token);
      const auto of = [&](const at::Tensor& row) {
        return short_number(std::exp(double{row.const_data_ptr<float>()[token]}));
      };
      return {{"p_mt", of(log_probs.model)},
              {"p_knn", p_knn == mixture.p_knn.end() ? 0.0 : short_number(p_knn->second)},
              {"p", of(log_probs.mixture)}};
    };
    std::vector<std::pair<double, Token>> by_neighbours;
    for (const auto& [token, share] : mixture.p_knn) {
      if (!unchosen_.contains(token)) by_neighbours.emplace_back(-share, token);
    }
    std::ranges::sort(by_neighbours);
    for (std::size_t i = 0; i < by_neighbours.size(); ++i) {
      if (std::cmp_less(i, how_.candidates)) tokens.insert(by_neighbours[i].second);
    }
    std::vector<std::pair<float, Token>> by_p;
    for (const auto token : tokens) {
      by_p.emplace_back(-log_probs.mixture.const_data_ptr<float>()[token], token);
    }
    std::ranges::sort(by_p);
    Json candidates = Json::array();
    for (const auto& [_, token] : by_p) {
      candidates.push_back({{"token", token}, {"text", text_of(token)}});
      candidates.back().update(probabilities(token));
    }
    Json neighbours = Json::array();
    bool searched = false;
    for (std::size_t i = 0; i < of_datastores.size(); ++i) {
      searched = searched || of_datastores[i]->searched;
      const auto& found = of_datastores[i]->neighbours;
      const auto shown = std::min(found.size(), static_cast<std::size_t>(how_.neighbours));
      for (const auto& [neighbour, share] : std::span(found).first(shown)) {
        const auto token = core::token_of(neighbour.id);
        neighbours.push_back({{"datastore", i},
                              {"entry", core::entry_number_of(neighbour.id)},
                              {"distance", short_number(neighbour.distance)},
                              {"share", short_number(mixture.parts[i] * double{share})},
                              {"token", token},
                              {"text", text_of(token)}});
      }
    }
    Json explained = probabilities(chosen);
    explained.update({{"lambda", short_number(mixture.lambda)},
                      {"searched", searched},
                      {"candidates", candidates},
                      {"neighbours", neighbours}});
    return explained;
  }

  retrieval::SentenceBlock block_of(model::Sentences sources) const {
    return make_sentence_block(traced_.options.subset, traced_.tokenizer, sources,
                               traced_.model.encode(sources));
  }

  std::string text_of(Token token) const {
    if (!traced_.tokenizer.has_target_token(token)) return "";
    return text::output_line(traced_.tokenizer.decode_target({&token, 1}));
  }

  Json describe(const DatastoreSentence& sentence) const {
    const auto target = target_texts(traced_.tokenizer, sentence.target);
    return {{"datastore", sentence.datastore},
            {"corpus", sentence.corpus},
            {"line", sentence.line},
            {"source", text::output_line(traced_.tokenizer.decode_source(sentence.source))},
            {"target", target.text},
            {"pieces", target.pieces}};
  }

  const TracedDecoding& traced_;
  const TraceOptions& how_;
  at::Tensor never_;                 ///< int64: tokens that no search chooses
  std::set<std::int64_t> unchosen_;  ///< the same
};

}  // namespace

std::vector<Json> trace(runtime::StageContext& context, const TracedDecoding& decoding,
                        const std::vector<TracedTranslation>& translations,
                        const TraceOptions& how) {
  auto& comm = context.comm;
  Tracer tracer(decoding, how);
  // In rounds: searches that are collective need all ranks at the same time.
  const auto ranks = static_cast<std::size_t>(comm.size());
  const auto rank = static_cast<std::size_t>(comm.rank());
  Json mine = Json::array();
  std::vector<at::Tensor> queries;  // of each of them
  for (std::size_t first = 0; first < translations.size(); first += ranks) {
    if (first + rank < translations.size()) {
      auto [explained, of_tokens] = tracer.explain(translations[first + rank]);
      mine.push_back(std::move(explained));
      queries.push_back(std::move(of_tokens));
    } else {
      tracer.serve();
    }
  }
  if (decoding.text != nullptr) {
    std::vector<EntryPlace> wanted;
    for (auto& one : mine) {
      Tracer::for_each_neighbour(one, [&](const Json& neighbour) {
        wanted.push_back({neighbour.at("datastore"), neighbour.at("entry")});
      });
    }
    const auto found = decoding.text->find(wanted);
    for (auto& one : mine) tracer.add_sentences(found, one);
    comm::agree(comm, [&] {
      for (std::size_t i = 0; i < mine.size(); ++i) tracer.add_planes(found, queries[i], mine[i]);
    });
  }
  std::vector<Json> traces(translations.size());
  const auto all = comm::gather_json(comm, mine);
  for (std::size_t i = 0; i < traces.size(); ++i) traces[i] = all[i % ranks].at(i / ranks);
  return traces;
}

}  // namespace knnseq::stages
