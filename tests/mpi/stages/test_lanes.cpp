// Blocks that a group of ranks translates in lanes: each once, with the bytes that one rank by
// itself makes, until there are none or a rank was told to stop.
#include <algorithm>
#include <csignal>
#include <functional>
#include <map>

#include <unistd.h>

#include "comm/self_communicator.hpp"
#include "obs/log.hpp"
#include "retrieval/distributed_search.hpp"
#include "runtime/stop_signal.hpp"
#include "search/beam_search.hpp"
#include "stages/shared/translation/block_translator.hpp"
#include "support/fake_model.hpp"
#include "support/mpi_main.hpp"
#include "text/tokenizers/tokenizer.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
using test::world;

namespace {

using Tokens = std::vector<core::TokenId>;
using Best = std::vector<std::vector<search::Hypothesis>>;

constexpr std::int64_t vocabulary = 100;

std::vector<Tokens> random_sentences(std::uint64_t seed, std::size_t count) {
  core::Random random(seed);
  std::vector<Tokens> sentences(count);
  for (Tokens& sentence : sentences) {
    for (auto left = 1 + random.below(9); left > 0; --left) {
      sentence.push_back(static_cast<core::TokenId>(1 + random.below(90)));
    }
    sentence.push_back(0);
  }
  return sentences;
}

/// The blocks of a test: two sentences each.
class Translation {
 public:
  Translation() {
    const auto sources = random_sentences(1, 60);
    const at::Tensor keys = model_.teacher_force(sources, random_sentences(2, 60), {}).keys;
    codebook_ = test::random_codebook(index::parse_index_spec("IVF8,PQ4", keys.size(1)));
    entries_ = test::coded_entries(codebook_, keys);
  }

  /// The blocks that this rank made, whose numbers are below `blocks`; after_each is called when
  /// one of its own is done.
  std::map<std::int64_t, Best> translate(comm::Communicator& comm, std::int64_t blocks, bool stops,
                                         const std::function<void()>& after_each = {}) {
    const at::Tensor mine = at::arange(comm.rank(), entries_.codes.size(0), comm.size(), at::kLong);
    std::vector<std::unique_ptr<retrieval::KnnSearch>> searches;
    searches.push_back(std::make_unique<retrieval::DistributedSearch>(
        comm, codebook_, index::make_local_index(codebook_, test::select(entries_, mine), {}),
        retrieval::SearchOptions{.k = 8, .nprobe = 2}));
    retrieval::MixingOptions mixing;
    mixing.temperature = 1;
    retrieval::KnnMixer mixer(std::move(searches), retrieval::make_mixing_policy(mixing));
    std::map<std::int64_t, Best> made;
    stages::BlockWork work;
    for (std::int64_t block = 0; block < blocks; ++block) work.blocks.push_back(block);
    work.sources = [](std::int64_t block) {
      return random_sentences(static_cast<std::uint64_t>(100 + block), 2);
    };
    work.done = [&](std::int64_t block, Best best) {
      made[block] = std::move(best);
      if (after_each) after_each();
    };
    work.stops = stops;
    obs::Log log(comm.rank(), comm.size());
    runtime::StageContext context{comm, log, {}, {}, {}};
    stages::translate_blocks(context, {options_, beam_, *tokenizer_, model_}, work, &mixer);
    return made;
  }

 private:
  test::FakeModel model_{{.width = 16, .source_vocab_size = vocabulary, .vocab_size = vocabulary}};
  index::Codebook codebook_;
  index::CodedEntries entries_;
  stages::Options options_;
  search::BeamOptions beam_{.beam = 3, .max_length_a = 1, .max_length_b = 5};
  std::unique_ptr<text::Tokenizer> tokenizer_ =
      text::load_tokenizer(KNNSEQ_SOURCE_DIR "/models/demo-de-en");
};

bool same_bytes(const Best& a, const Best& b) {
  return std::ranges::equal(a, b, [](const auto& some, const auto& others) {
    return std::ranges::equal(some, others, [](const auto& one, const auto& other) {
      return one.tokens == other.tokens && one.score == other.score &&
             one.token_log_probs == other.token_log_probs;
    });
  });
}

}  // namespace

TEST_CASE("ranks in step translate each block once, as one rank by itself does") {
  Translation translation;
  for (const std::int64_t blocks : {0, 1, 2, 3, 23}) {
    const auto alone = translation.translate(comm::self_communicator(), blocks, /*stops=*/false);
    REQUIRE_ALL(std::ssize(alone) == blocks);
    const auto mine = translation.translate(world(), blocks, /*stops=*/false);
    bool right = true;
    for (const auto& [block, best] : mine) right = right && same_bytes(best, alone.at(block));
    REQUIRE_ALL(right);
    std::vector<std::int64_t> times(blocks);
    for (const auto& [block, best] : mine) ++times[block];
    world().all_reduce(std::span(times), comm::Reduction::sum);
    REQUIRE_ALL(std::ranges::count(times, 1) == blocks);
    // Few blocks are not one rank's.
    REQUIRE_ALL(blocks > world().size() || mine.size() <= 1);
  }
}

TEST_CASE("after SIGUSR1 to one rank nobody begins another block in any lane") {
  runtime::hold_stop_signal();
  Translation translation;
  const int told = world().size() - 1;
  const auto mine = translation.translate(world(), 40, /*stops=*/true, [&] {
    if (world().rank() == told) ::raise(SIGUSR1);
  });
  const auto all = world().all_reduce(std::ssize(mine), comm::Reduction::sum);
  // Those in work when the signal came, and those that ranks took before they heard of it.
  REQUIRE_ALL(all >= 1 && all <= 6 * world().size());
  if (world().rank() == told) {  // for the tests after this one
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGUSR1);
    int number = 0;
    CHECK(::sigwait(&signals, &number) == 0);
  }
  REQUIRE_ALL(!runtime::stop_requested());
}
