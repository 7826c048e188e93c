#include "stages/shared/search/open_subset.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "comm/self_communicator.hpp"
#include "comm/shared_memory.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/json_field.hpp"
#include "gpu/torch_device.hpp"
#include "model/sentence_encoder.hpp"
#include "obs/progress_meter.hpp"
#include "retrieval/subset/lexical_finder.hpp"
#include "retrieval/subset/vector_finder.hpp"
#include "runtime/shard_team.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/search/index_copies.hpp"
#include "stages/shared/text/sentence_block.hpp"
#include "stages/shared/training/trained_codebook.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

namespace {

/// What subsets of these corpora are opened with; the same on all ranks.
struct SubsetTools {
  index::Codebook codes;
  std::optional<index::Codebook> sentences;  ///< of the sentence index, if there is one
  std::unique_ptr<text::Tokenizer> tokenizer;
};

retrieval::SentenceCounts& operator+=(retrieval::SentenceCounts& counts,
                                      const retrieval::SentenceCounts& more) {
  counts.sentences += more.sentences;
  counts.entries += more.entries;
  return counts;
}

/// Of one copy.
SubsetMemory memory_of_copy(const BuiltSubset& built, std::int64_t shards,
                            const SubsetTools& tools) {
  CorpusSize size;
  for (const auto& corpus : built.corpora) {
    const auto& counted = corpus.built.corpus;
    std::int64_t source_tokens = 0;
    for (std::int64_t shard = 0; shard < shards; ++shard) {
      const core::JsonField of_shard(corpus.built.paths.text.string(), counted.of_shard(shard),
                                     runtime::shard_name(shard));
      source_tokens += of_shard.at("source_tokens").number(0, core::max_entry_number);
    }
    size += {counted.sentences, source_tokens, counted.entries, false};
  }
  std::optional<index::IndexSpec> sentences;
  if (tools.sentences) sentences = tools.sentences->spec;
  return subset_memory(tools.codes.spec, sentences, size);
}

/// Loads what this rank holds of a copy: with IndexCopies::job its shards, with IndexCopies::device
/// all, and with IndexCopies::node a part that it puts where the node's ranks have all.
class Loader {
 public:
  Loader(runtime::StageContext& context, const Options& options, const BuiltSubset& built,
         const SubsetTools& tools, IndexCopies copies)
      : context_(context),
        options_(options),
        built_(built),
        tools_(tools),
        steps_(built.corpora.front().built.paths),
        copies_(copies),
        node_(context.comm.split_by_node()),
        holders_(copies == IndexCopies::job    ? context.comm
                 : copies == IndexCopies::node ? *node_
                                               : comm::self_communicator()),
        team_(runtime::make_shard_team(holders_, options.shards)) {}

  /// Codes and values of all entries; the pieces of the same sentences if these decide.
  retrieval::LocalSentenceStore load_entries() {
    const auto m = tools_.codes.spec.code_bytes();
    retrieval::SentenceCounts counts;
    comm::agree(context_.comm, [&] { counts = shared() ? count_all() : count_own(); });
    std::shared_ptr<std::byte> memory;
    if (shared()) {
      memory =
          comm::make_shared_memory(*node_, retrieval::LocalSentenceStore::memory_bytes(m, counts));
    }
    retrieval::LocalSentenceStore held(m, counts, std::move(memory));
    comm::agree(context_.comm, [&] { put_all(held); });
    if (!shared() || node_->is_root()) held.sort();
    context_.comm.barrier();
    return held;
  }

  std::unique_ptr<retrieval::SentenceFinder> open_finder() {
    if (tools_.sentences) return open_index();
    const retrieval::LexicalOptions lexical{options_.subset.encoder == SentenceEncoder::bm25
                                                ? retrieval::LexicalScore::bm25
                                                : retrieval::LexicalScore::tfidf,
                                            tools_.tokenizer->source_vocab_size(), count()};
    return std::make_unique<retrieval::LexicalFinder>(holders_, pieces_, ids_, lexical, shared());
  }

 private:
  bool shared() const { return copies_ == IndexCopies::node; }

  /// Sentences in a subset: no more than there are.
  std::int64_t count() const { return std::min(options_.subset.sentences, built_.sentences()); }

  retrieval::SentenceCounts count_shard(const SubsetCorpus& of, std::int64_t shard) const {
    const auto& counted = of.built.corpus.of_shard(shard);
    return {counted.at("sentences").get<std::int64_t>(), counted.at("entries").get<std::int64_t>()};
  }

  retrieval::SentenceCounts count_all() const {
    retrieval::SentenceCounts counts;
    for (const auto& corpus : built_.corpora) {
      counts += {corpus.built.corpus.sentences, corpus.built.corpus.entries};
    }
    return counts;
  }

  retrieval::SentenceCounts count_own() const {
    retrieval::SentenceCounts counts;
    for (const auto& of : built_.corpora) {
      for (const auto shard : team_.shards) {
        if (team_.members() == 1) {
          counts += count_shard(of, shard);
          continue;
        }
        const auto corpus = read_shard(of, shard);
        for (std::int64_t i = 0; i < corpus.sentences(); ++i) {
          if (corpus.sentence_numbers[i] % team_.members() != team_.member()) continue;
          counts += {1, entries_of(corpus, i).size()};
        }
      }
    }
    return counts;
  }

  /// With the numbers that its sentences and entries have among those of all corpora.
  store::CorpusShard read_shard(const SubsetCorpus& of, std::int64_t shard) const {
    auto corpus = store::CorpusShard::read(of.built.paths.text, runtime::shard_name(shard),
                                           of.built.corpus.of_shard(shard));
    for (auto& number : corpus.sentence_numbers) number += of.first_sentence;
    for (auto& first : corpus.entry_starts) first += of.built.paths.first_entry;
    return corpus;
  }

  /// Where each shard's sentences go, if the ranks of a node fill one store: after those of the
  /// shards before it. Else after what this rank has already.
  void put_all(retrieval::LocalSentenceStore& held) {
    retrieval::SentenceCounts before;
    for (const auto& corpus : built_.corpora) {
      for (std::int64_t shard = 0; shard < options_.shards; ++shard) {
        const auto counts = count_shard(corpus, shard);
        const bool mine = std::ranges::find(team_.shards, shard) != team_.shards.end();
        const auto put =
            mine ? put_shard(corpus, shard, before, held) : retrieval::SentenceCounts();
        before += shared() ? counts : put;
      }
    }
  }

  /// Returns what was put. Ranks that fill a store together take turns by the units of the shard,
  /// else by the numbers of its sentences, as retrieval::ShardHolders says.
  retrieval::SentenceCounts put_shard(const SubsetCorpus& of, std::int64_t shard,
                                      const retrieval::SentenceCounts& before,
                                      retrieval::LocalSentenceStore& held) {
    const auto corpus = read_shard(of, shard);
    const auto& tokenizer = *tools_.tokenizer;
    const auto codes_folder = SubsetSteps(of.built.paths).codes.folder;
    store::require_tokens_below(corpus, tokenizer.source_vocab_size(), tokenizer.vocab_size());
    const ShardKeys rows(codes_folder, shard, "codes", store::DataType::uint8);
    if (rows.width() != held.m()) {
      throw core::InputError(codes_folder, fmt::format("its codes have {} bytes, the codebook's {}",
                                                       rows.width(), held.m()));
    }
    const auto mine = [&](std::int64_t unit_or_sentence) {
      return unit_or_sentence % team_.members() == team_.member();
    };
    retrieval::SentenceCounts put;
    const auto units = store::cut_units(corpus);
    for (std::int64_t unit = 0; unit < std::ssize(units); ++unit) {
      if (shared() && !mine(unit)) continue;
      const auto entries = corpus.entries_of(units[unit]);
      std::vector<std::uint8_t> codes(entries.size() * held.m());
      rows.read_bytes(unit, entries.begin, std::as_writable_bytes(std::span(codes)));
      const auto sentences = corpus.sentences_of(units[unit]);
      for (auto i = sentences.begin; i < sentences.end; ++i) {
        const auto number = corpus.sentence_numbers[i];
        if (!shared() && !mine(number)) continue;
        auto place = before;
        place += shared() ? retrieval::SentenceCounts{i, entries_of(corpus, i).begin} : put;
        put_sentence(corpus, i, std::span(codes), entries.begin, place, held);
        put += {1, entries_of(corpus, i).size()};
        if (options_.subset.has_vectors()) continue;
        pieces_.add(own_tokens(corpus.source(i), tokenizer.source_frame()));
        ids_.push_back(retrieval::pack_sentence_id(shard, number));
      }
    }
    return put;
  }

  static core::Range entries_of(const store::CorpusShard& corpus, std::int64_t sentence) {
    const auto at = static_cast<std::size_t>(sentence);
    return {corpus.sentence_starts[at], corpus.sentence_starts[at + 1]};
  }

  /// codes: from row first_row of the shard on.
  static void put_sentence(const store::CorpusShard& corpus, std::int64_t sentence,
                           std::span<const std::uint8_t> codes, std::int64_t first_row,
                           const retrieval::SentenceCounts& place,
                           retrieval::LocalSentenceStore& held) {
    const auto entries = entries_of(corpus, sentence);
    const auto begin = static_cast<std::size_t>(entries.begin);
    const auto count = static_cast<std::size_t>(entries.size());
    const auto m = static_cast<std::size_t>(held.m());
    held.put(place, {corpus.sentence_numbers[sentence], corpus.entry_starts[sentence],
                     std::span(corpus.target_tokens).subspan(begin, count),
                     codes.subspan((begin - static_cast<std::size_t>(first_row)) * m, count * m)});
  }

  /// Of a copy a node only lists of PQ codes lie in memory that its ranks share; of all other types
  /// each rank has its own.
  std::unique_ptr<retrieval::SentenceFinder> open_index() {
    const retrieval::SearchOptions search{.k = count(), .nprobe = options_.subset.nprobe};
    const bool whole = copies_ != IndexCopies::job;
    index::LocalIndexOptions how;
    how.backend = search.backend;
    how.ef_search = search.ef_search;
    how.ids = {options_.shards, built_.end_of_sentences()};
    if (shared() && index::lies_in_shared_memory(tools_.sentences->spec, search.backend)) {
      how.sharers = node_.get();
    }
    std::vector<std::int64_t> shards = team_.shards;
    if (whole) {
      shards.resize(options_.shards);
      std::iota(shards.begin(), shards.end(), 0);
    } else {
      how.part = team_.member();
      how.parts = team_.members();
    }
    std::vector<std::filesystem::path> files;
    std::unique_ptr<index::LocalIndex> local;
    comm::agree(context_.comm, [&] {
      for (const auto& corpus : built_.corpora) {
        const auto folder = SubsetSteps(corpus.built.paths).sentence_index.folder;
        for (const auto shard : shards) {  // ranks that load the same files compare some each
          const bool compares = !whole || std::ssize(files) % node_->size() == node_->rank();
          files.push_back(compares
                              ? checked_shard_file(folder, shard, "run 'knnseq subset --force'")
                              : shard_file(folder, shard));
        }
      }
    });
    comm::agree(context_.comm,
                [&] { local = index::load_local_index(*tools_.sentences, files, how); });
    return std::make_unique<retrieval::VectorFinder>(
        retrieval::DistributedSearch(whole ? comm::self_communicator() : context_.comm,
                                     *tools_.sentences, std::move(local), search),
        sentence_vectors());
  }

  /// How a block's sentences become vectors.
  retrieval::SentenceVectors sentence_vectors() {
    if (options_.subset.encoder == SentenceEncoder::mean) {
      return [](const retrieval::SentenceBlock& block) { return block.means; };
    }
    std::shared_ptr<const model::SentenceEncoder> encoder;
    comm::agree(context_.comm, [&] {
      encoder = std::make_shared<const model::SentenceEncoder>(options_.subset.model);
    });
    return
        [encoder](const retrieval::SentenceBlock& block) { return encoder->encode(block.texts); };
  }

  runtime::StageContext& context_;
  const Options& options_;
  const BuiltSubset& built_;
  const SubsetTools& tools_;
  SubsetSteps steps_;
  IndexCopies copies_;
  std::unique_ptr<comm::Communicator> node_;
  comm::Communicator& holders_;  ///< the ranks that load each sentence once together
  runtime::ShardTeam team_;
  retrieval::PieceLists pieces_;   ///< of this rank's sentences, if pieces decide
  std::vector<std::int64_t> ids_;  ///< likewise
};

}  // namespace

std::shared_ptr<retrieval::SubsetSearch::Parts> open_subset(runtime::StageContext& context,
                                                            const Options& options,
                                                            const BuiltSubset& built,
                                                            IndexCopies wanted) {
  SubsetTools tools;
  SubsetMemory copy;
  comm::agree(context.comm, [&] {
    const SubsetSteps steps(built.corpora.front().built.paths);
    tools.codes = read_trained_codebook(steps.codebook);
    if (options.subset.has_vectors()) {
      tools.sentences = read_trained_codebook(steps.sentence_codebook);
    }
    tools.tokenizer = open_tokenizer(options);
    copy = memory_of_copy(built, options.shards, tools);
  });
  const auto copies = choose_subset_copies(context, wanted, copy);
  Loader loader(context, options, built, tools, copies);
  auto held = loader.load_entries();
  auto finder = loader.open_finder();
  std::int64_t entries = 0;
  for (const auto& corpus : built.corpora) entries += corpus.built.corpus.entries;
  const auto most = context.comm.all_reduce(held.bytes(), comm::Reduction::max);
  const bool shared = copies == IndexCopies::node;
  context.log.info(fmt::format(
      "subsets of {} sentences by {}, of {} entries; codes and values: {} a {}{}",
      std::min(options.subset.sentences, built.sentences()), core::name_of(options.subset.encoder),
      obs::with_commas(entries), obs::as_bytes(most), shared ? "node" : "rank",
      shared && copy.of_rank > 0
          ? "; each rank has an index of sentences, as it is none of lists of PQ codes"
          : ""));
  const retrieval::ShardHolders holders{copies == IndexCopies::job ? context.comm.size() : 1,
                                        options.shards};
  return std::make_shared<retrieval::SubsetSearch::Parts>(retrieval::SubsetSearch::Parts{
      std::move(tools.codes), std::move(held), holders, std::move(finder)});
}

std::unique_ptr<retrieval::SubsetSearch> make_subset_search(
    runtime::StageContext& context, std::shared_ptr<retrieval::SubsetSearch::Parts> parts,
    std::int64_t k) {
  auto& comm = parts->holders.ranks == 1 ? comm::self_communicator() : context.comm;
  return std::make_unique<retrieval::SubsetSearch>(comm, std::move(parts), k,
                                                   gpu::torch_device(context.placement.device));
}

}  // namespace knnseq::stages
