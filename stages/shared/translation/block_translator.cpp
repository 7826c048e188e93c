#include "stages/shared/translation/block_translator.hpp"

#include <algorithm>
#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "comm/self_communicator.hpp"
#include "comm/shared_memory.hpp"
#include "search/beam_search.hpp"
#include "stages/shared/text/sentence_block.hpp"
#include "stages/shared/translation/lane.hpp"

namespace knnseq::stages {

namespace {

/// Deals blocks, in their order, to the ranks that ask for one. Each node has a share of them, by
/// the number of its ranks, and a counter in memory that its ranks read. Collective when it is
/// made.
class BlockDealer {
 public:
  BlockDealer(comm::Communicator& comm, const std::vector<std::int64_t>& blocks) {
    const auto node = comm.split_by_node();
    const bool shared = comm::can_share_memory(*node);
    // Ranks that cannot share a counter have each a share of their own.
    const std::int64_t team = node->all_reduce(std::int64_t{comm.rank()}, comm::Reduction::min);
    const std::int64_t own = shared ? team : comm.rank();
    const auto teams = comm.all_gather(std::span<const std::int64_t>(&own, 1)).values;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (teams[i % teams.size()] == own) blocks_.push_back(blocks[i]);
    }
    counter_ =
        comm::make_shared_memory(shared ? *node : comm::self_communicator(), sizeof(std::int64_t));
  }

  std::optional<std::int64_t> next() {
    const std::atomic_ref<std::int64_t> counter(*reinterpret_cast<std::int64_t*>(counter_.get()));
    const auto i = counter.fetch_add(1);
    return i < std::ssize(blocks_) ? std::optional(blocks_[i]) : std::nullopt;
  }

 private:
  std::vector<std::int64_t> blocks_;
  std::shared_ptr<std::byte> counter_;  ///< an int64: of blocks that were dealt
};

/// values[first], values[first + n], …
std::vector<std::int64_t> every_nth(const std::vector<std::int64_t>& values, std::int64_t n,
                                    std::int64_t first) {
  std::vector<std::int64_t> chosen;
  for (auto i = first; i < std::ssize(values); i += n) chosen.push_back(values[i]);
  return chosen;
}

/// One rank's part.
class BlockTranslator {
 public:
  BlockTranslator(runtime::StageContext& context, const BlockTools& tools, const BlockWork& work)
      : context_(context), tools_(tools), work_(work) {}

  /// Every rank translates by itself. mixer: null without kNN.
  void run_alone(retrieval::KnnMixer* mixer) {
    search::KnnStep knn;
    if (mixer != nullptr) knn = mixing(*mixer);
    deal([&](std::int64_t block) { translate(block, mixer, knn); });
  }

  /// The ranks of a group take the same steps, with their blocks in lanes: by the time a rank comes
  /// to what the others have sent in one lane, it has worked in the other.
  void run_in_steps(retrieval::KnnMixer& mixer) {
    comm::Communicator& group = mixer.group();
    const auto leader = group.all_reduce(std::int64_t{context_.comm.rank()}, comm::Reduction::min);
    const auto blocks = share_of(leader);
    std::list<Lane> lanes;
    std::int64_t dealt = 0;
    for (int i = 0; i < mixer.lanes() && i < std::ssize(blocks); ++i) {
      auto of_lane = every_nth(blocks, mixer.lanes(), i);
      // The next lane begins with other ranks, so that each rank gets one of few blocks.
      const auto first =
          static_cast<int>(std::exchange(dealt, dealt + std::ssize(of_lane)) % group.size());
      lanes.emplace_back(tools_, work_, mixer, std::move(of_lane), first);
    }
    while (!lanes.empty()) {
      for (Lane& lane : lanes) lane.advance();
      lanes.remove_if([](const Lane& lane) { return lane.finished(); });
      for (Lane& lane : lanes) lane.serve();
    }
  }

  /// Every rank begins one of the blocks that are left, all together, and then translates it
  /// without the others.
  void run_in_subsets(retrieval::KnnMixer& mixer) {
    const auto knn = mixing(mixer);
    run_in_rounds([&](std::optional<std::int64_t> block) {
      if (block) return translate(*block, &mixer, knn);
      mixer.begin({});
    });
  }

  void run_from_memory(retrieval::SubsetSearch& memory) {
    if (!memory.begins_together()) {
      return deal([&](std::int64_t block) { recall(block, memory); });
    }
    run_in_rounds([&](std::optional<std::int64_t> block) {
      if (block) return recall(*block, memory);
      memory.find_nearest({});
    });
  }

 private:
  search::KnnStep mixing(retrieval::KnnMixer& mixer) const {
    return [this, &mixer](const search::KnnQueries& asked, at::Tensor& log_probs) {
      mixer.mix(asked.vectors, asked.sentences, log_probs);
      work_.step_done();
    };
  }

  /// The blocks of a group of ranks, of which this is the first.
  std::vector<std::int64_t> share_of(std::int64_t leader) const {
    const auto all = context_.comm.all_gather(std::span<const std::int64_t>(&leader, 1)).values;
    const std::set<std::int64_t> leaders(all.begin(), all.end());
    return every_nth(work_.blocks, std::ssize(leaders),
                     std::distance(leaders.begin(), leaders.find(leader)));
  }

  void translate(std::int64_t block, retrieval::KnnMixer* mixer, const search::KnnStep& knn) {
    const auto sources = work_.sources(block);
    const auto encoded = tools_.model.encode(sources);
    if (mixer != nullptr && mixer->in_subsets()) mixer->begin(sentence_block(sources, encoded));
    auto made =
        search::beam_search(tools_.model, sources, encoded, work_.beam_of(block, tools_.beam), knn);
    if (mixer != nullptr) mixer->check();
    work_.done(block, std::move(made));
  }

  void recall(std::int64_t block, retrieval::SubsetSearch& memory) {
    const auto sources = work_.sources(block);
    std::vector<std::vector<search::Hypothesis>> found;
    for (auto& nearest :
         memory.find_nearest(sentence_block(sources, tools_.model.encode(sources)))) {
      if (nearest.target.empty()) nearest.target = {tools_.model.info().eos};
      found.push_back({{std::move(nearest.target), -double{nearest.distance}, {}}});
    }
    work_.done(block, std::move(found));
  }

  retrieval::SentenceBlock sentence_block(model::Sentences sources,
                                          const model::EncodedSource& encoded) const {
    return make_sentence_block(tools_.options.subset, tools_.tokenizer, sources, encoded);
  }

  /// Calls `work` with one block after another, on the rank that takes it: the next one as soon as
  /// it is done with one.
  void deal(const std::function<void(std::int64_t)>& work) {
    if (work_.blocks.size() == 1) {  // nothing to be dealt
      if (context_.comm.is_root() && !work_.stopped()) work(work_.blocks.front());
      return;
    }
    BlockDealer dealer(context_.comm, work_.blocks);
    while (!work_.stopped()) {
      const auto block = dealer.next();
      if (!block) break;
      work(*block);
    }
  }

  /// Calls `work` with one of the blocks, on all ranks together; without one if there are no more
  /// for this rank.
  void run_in_rounds(const std::function<void(std::optional<std::int64_t>)>& work) {
    const auto ranks = static_cast<std::size_t>(context_.comm.size());
    for (auto i = static_cast<std::size_t>(context_.comm.rank());
         i - i % ranks < work_.blocks.size(); i += ranks) {
      if (!context_.comm.all(!work_.stopped())) break;
      work(i < work_.blocks.size() ? std::optional(work_.blocks[i]) : std::nullopt);
    }
  }

  runtime::StageContext& context_;
  const BlockTools& tools_;
  const BlockWork& work_;
};

}  // namespace

void translate_blocks(runtime::StageContext& context, const BlockTools& tools,
                      const BlockWork& work, retrieval::KnnMixer* mixer) {
  BlockTranslator translator(context, tools, work);
  if (mixer != nullptr && mixer->collective()) {
    translator.run_in_steps(*mixer);
  } else if (mixer != nullptr && mixer->begins_together()) {
    translator.run_in_subsets(*mixer);
  } else {
    translator.run_alone(mixer);
  }
}

void recall_blocks(runtime::StageContext& context, const BlockTools& tools, const BlockWork& work,
                   retrieval::SubsetSearch& memory) {
  BlockTranslator(context, tools, work).run_from_memory(memory);
}

std::vector<std::vector<std::int64_t>> cut_blocks(
    const std::vector<std::vector<core::TokenId>>& sources, std::int64_t block_sentences) {
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (!sources[i].empty()) order.push_back(static_cast<std::int64_t>(i));
  }
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](std::int64_t i) { return sources[i].size(); });
  std::vector<std::vector<std::int64_t>> blocks;
  const auto size = static_cast<std::size_t>(block_sentences);
  for (std::size_t at = 0; at < order.size(); at += size) {
    const auto end = std::min(order.size(), at + size);
    blocks.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(at),
                        order.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return blocks;
}

}  // namespace knnseq::stages
