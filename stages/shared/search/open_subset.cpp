#include "stages/shared/search/open_subset.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "gpu/torch_device.hpp"
#include "model/sentence_encoder.hpp"
#include "obs/progress_meter.hpp"
#include "retrieval/subset/lexical_finder.hpp"
#include "retrieval/subset/vector_finder.hpp"
#include "runtime/shard_team.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/text/sentence_block.hpp"
#include "stages/shared/training/trained_codebook.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

namespace {

/// What this rank takes of its shards.
class Loader {
 public:
  Loader(runtime::StageContext& context, const Options& options, const BuiltSubset& built)
      : context_(context),
        options_(options),
        built_(built),
        steps_(built.corpora.front().built.paths),
        team_(runtime::make_shard_team(context.comm, options.shards)) {}

  /// Codes and values of all entries; the pieces of the same sentences if these decide.
  retrieval::LocalSentenceStore load_entries(std::int64_t m, const text::Tokenizer& tokenizer) {
    retrieval::LocalSentenceStore held(m);
    comm::agree(context_.comm, [&] {
      for (const auto& corpus : built_.corpora) {
        for (const auto shard : team_.shards) load_shard(corpus, shard, tokenizer, held);
      }
    });
    held.finish();
    const auto sentences = context_.comm.all_reduce(held.sentences(), comm::Reduction::sum);
    comm::agree(context_.comm, [&] {
      if (sentences == built_.sentences()) return;
      throw core::InputError(
          built_.corpora.front().built.paths.text,
          fmt::format("the shards of all corpora hold {} sentences, their manifests say {}",
                      sentences, built_.sentences()));
    });
    return held;
  }

  std::unique_ptr<retrieval::SentenceFinder> open_finder(const text::Tokenizer& tokenizer) {
    if (options_.subset.has_vectors()) return open_index();
    const retrieval::LexicalOptions lexical{options_.subset.encoder == SentenceEncoder::bm25
                                                ? retrieval::LexicalScore::bm25
                                                : retrieval::LexicalScore::tfidf,
                                            tokenizer.source_vocab_size(), count()};
    return std::make_unique<retrieval::LexicalFinder>(context_.comm, pieces_, std::move(ids_),
                                                      lexical);
  }

 private:
  /// Sentences in a subset: no more than there are.
  std::int64_t count() const { return std::min(options_.subset.sentences, built_.sentences()); }

  void load_shard(const SubsetCorpus& of, std::int64_t shard, const text::Tokenizer& tokenizer,
                  retrieval::LocalSentenceStore& held) {
    const auto name = runtime::shard_name(shard);
    auto corpus =
        store::CorpusShard::read(of.built.paths.text, name, of.built.corpus.of_shard(shard));
    for (auto& number : corpus.sentence_numbers) number += of.first_sentence;
    for (auto& first : corpus.entry_starts) first += of.built.paths.first_entry;
    const auto codes_folder = SubsetSteps(of.built.paths).codes.folder;
    store::require_tokens_below(corpus, tokenizer.source_vocab_size(), tokenizer.vocab_size());
    const ShardKeys rows(codes_folder, shard, "codes", store::DataType::uint8);
    if (rows.width() != held.m()) {
      throw core::InputError(codes_folder, fmt::format("its codes have {} bytes, the codebook's {}",
                                                       rows.width(), held.m()));
    }
    const auto units = store::cut_units(corpus);
    held.reserve(held.sentences() + corpus.sentences() / team_.members() + 1,
                 held.entries() + corpus.entries() / team_.members());
    for (std::size_t unit = 0; unit < units.size(); ++unit) {
      const auto entries = corpus.entries_of(units[unit]);
      std::vector<std::uint8_t> codes(entries.size() * held.m());
      rows.read_bytes(static_cast<std::int64_t>(unit), entries.begin,
                      std::as_writable_bytes(std::span(codes)));
      const auto sentences = corpus.sentences_of(units[unit]);
      for (auto i = sentences.begin; i < sentences.end; ++i) {
        const auto number = corpus.sentence_numbers[i];
        if (number % team_.members() != team_.member()) continue;
        add_sentence(corpus, i, std::span(codes), entries.begin, held);
        if (options_.subset.has_vectors()) continue;
        pieces_.add(own_tokens(corpus.source(i), tokenizer.source_frame()));
        ids_.push_back(retrieval::pack_sentence_id(shard, number));
      }
    }
  }

  /// codes: from row first_row of the shard on.
  static void add_sentence(const store::CorpusShard& corpus, std::int64_t sentence,
                           std::span<const std::uint8_t> codes, std::int64_t first_row,
                           retrieval::LocalSentenceStore& held) {
    const auto at = static_cast<std::size_t>(sentence);
    const auto begin = static_cast<std::size_t>(corpus.sentence_starts[at]);
    const auto count = static_cast<std::size_t>(corpus.sentence_starts[at + 1]) - begin;
    const auto m = static_cast<std::size_t>(held.m());
    held.add({corpus.sentence_numbers[at], corpus.entry_starts[at],
              std::span(corpus.target_tokens).subspan(begin, count),
              codes.subspan((begin - static_cast<std::size_t>(first_row)) * m, count * m)});
  }

  std::unique_ptr<retrieval::SentenceFinder> open_index() {
    const retrieval::SearchOptions search{.k = count(), .nprobe = options_.subset.nprobe};
    index::Codebook codebook;
    std::unique_ptr<index::LocalIndex> local;
    comm::agree(context_.comm, [&] {
      codebook = read_trained_codebook(steps_.sentence_codebook);
      std::vector<std::filesystem::path> files;
      for (const auto& corpus : built_.corpora) {
        const auto folder = SubsetSteps(corpus.built.paths).sentence_index.folder;
        for (const auto shard : team_.shards) {
          files.push_back(checked_shard_file(folder, shard, "run 'knnseq subset --force'"));
        }
      }
      local = index::load_local_index(codebook, files,
                                      {team_.member(),
                                       team_.members(),
                                       search.backend,
                                       search.ef_search,
                                       nullptr,
                                       {options_.shards, built_.end_of_sentences()}});
    });
    return std::make_unique<retrieval::VectorFinder>(
        retrieval::DistributedSearch(context_.comm, codebook, std::move(local), search),
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
  SubsetSteps steps_;
  runtime::ShardTeam team_;
  retrieval::PieceLists pieces_;   ///< of this rank's sentences, if pieces decide
  std::vector<std::int64_t> ids_;  ///< likewise
};

}  // namespace

std::shared_ptr<retrieval::SubsetSearch::Parts> open_subset(runtime::StageContext& context,
                                                            const Options& options,
                                                            const BuiltSubset& built) {
  auto& comm = context.comm;
  index::Codebook codebook;
  std::unique_ptr<text::Tokenizer> tokenizer;
  comm::agree(comm, [&] {
    codebook = read_trained_codebook(SubsetSteps(built.corpora.front().built.paths).codebook);
    tokenizer = open_tokenizer(options);
  });
  Loader loader(context, options, built);
  auto held = loader.load_entries(codebook.spec.code_bytes(), *tokenizer);
  auto finder = loader.open_finder(*tokenizer);
  const auto entries = comm.all_reduce(held.entries(), comm::Reduction::sum);
  const auto most = comm.all_reduce(held.bytes(), comm::Reduction::max);
  context.log.info(fmt::format(
      "subsets of {} sentences by {}, of {} entries; codes and values: {} a rank",
      std::min(options.subset.sentences, built.sentences()), core::name_of(options.subset.encoder),
      obs::with_commas(entries), obs::as_bytes(most)));
  return std::make_shared<retrieval::SubsetSearch::Parts>(retrieval::SubsetSearch::Parts{
      codebook, std::move(held), {comm.size(), options.shards}, std::move(finder)});
}

std::unique_ptr<retrieval::SubsetSearch> make_subset_search(
    runtime::StageContext& context, std::shared_ptr<retrieval::SubsetSearch::Parts> parts,
    std::int64_t k) {
  return std::make_unique<retrieval::SubsetSearch>(context.comm, std::move(parts), k,
                                                   gpu::torch_device(context.placement.device));
}

}  // namespace knnseq::stages
