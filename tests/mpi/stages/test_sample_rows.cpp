// The training sample of a datastore: stored separately, or found again among all keys.
#include <algorithm>
#include <map>

#include "core/hash.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/sample/sample_rows.hpp"
#include "support/mpi_main.hpp"
#include "support/shared_folder.hpp"

using namespace knnseq;
using namespace knnseq::stages;

namespace {

constexpr std::int64_t width = 3;
constexpr std::int64_t corpus_sentences = 160;
const SampleSpec stored{200, 1};

/// What the datastore is cut into; with one unit all ranks but one have nothing to do.
struct Cut {
  std::int64_t shards;
  std::int64_t unit_sentences;
};

std::int64_t length_of(std::int64_t sentence) { return 1 + sentence % 5; }

std::int64_t first_entry_of(std::int64_t sentence) {
  std::int64_t entry = 0;
  for (std::int64_t i = 0; i < sentence; ++i) entry += length_of(i);
  return entry;
}

std::int64_t all_entries() { return first_entry_of(corpus_sentences); }

std::uint16_t key_of(std::int64_t entry, std::int64_t column) {
  return static_cast<std::uint16_t>(
      core::mix64(static_cast<std::uint64_t>(entry * width + column)));
}

/// What is written of one sentence after another; from row 0 of the shard on.
struct Rows {
  std::vector<std::uint16_t> keys, sample_keys;
  std::vector<std::int64_t> sample_entries, entry_starts, sentence_starts;
};

/// The sentences of a shard, every second one from the back, so that entries are in no order.
std::vector<std::int64_t> sentences_of(std::int64_t shard, std::int64_t shards) {
  std::vector<std::int64_t> own;
  for (std::int64_t i = shard; i < corpus_sentences; i += shards) own.push_back(i);
  for (std::size_t i = 0; i + 1 < own.size() - i; i += 2)
    std::swap(own[i], own[own.size() - 1 - i]);
  return own;
}

Rows rows_of(const std::vector<std::int64_t>& own, const SampleRule& rule) {
  Rows rows;
  for (const auto sentence : own) {
    rows.entry_starts.push_back(first_entry_of(sentence));
    rows.sentence_starts.push_back(std::ssize(rows.keys) / width);
    for (std::int64_t i = 0; i < length_of(sentence); ++i) {
      const auto entry = first_entry_of(sentence) + i;
      for (std::int64_t c = 0; c < width; ++c) rows.keys.push_back(key_of(entry, c));
      if (!rule.contains(entry)) continue;
      rows.sample_entries.push_back(entry);
      for (std::int64_t c = 0; c < width; ++c) rows.sample_keys.push_back(key_of(entry, c));
    }
  }
  rows.sentence_starts.push_back(std::ssize(rows.keys) / width);
  return rows;
}

/// The parts of a datastore that matter for its sample, as encode makes them. Collective.
void write_datastore(runtime::StageContext& context, const std::filesystem::path& folder,
                     const Cut& cut) {
  using store::DataType;
  const auto rule = make_sample_rule(context.comm, first_entry_of(corpus_sentences), stored);
  const auto team = runtime::make_shard_team(context.comm, cut.shards);
  runtime::ShardJobs jobs(context, team, folder, {"entries", all_entries()});
  std::vector<std::int64_t> own;
  Rows all;
  const auto prepare = [&](std::int64_t shard) {
    own = sentences_of(shard, cut.shards);
    all = rows_of(own, rule);
    runtime::ShardPlan plan;
    const auto count = std::ssize(own);
    const auto sampled = std::ssize(all.sample_entries);
    plan.datasets = {{"keys", DataType::float16, {std::ssize(all.keys) / width, width}, {}},
                     {"entry_starts", DataType::int64, {count}, {}},
                     {"sentence_starts", DataType::int64, {count + 1}, {}},
                     {"sample_keys", DataType::float16, {sampled, width}, {}},
                     {"sample_entries", DataType::int64, {sampled}, {}}};
    plan.unit_items.assign(core::ceil_div(count, cut.unit_sentences), 1);
    return plan;
  };
  const auto write_unit = [&](std::int64_t unit, store::ShardFile& file) {
    const auto first = unit * cut.unit_sentences;
    const auto end = std::min(first + cut.unit_sentences, std::ssize(own));
    const Rows before = rows_of({own.begin(), own.begin() + first}, rule);
    const Rows until = rows_of({own.begin(), own.begin() + end}, rule);
    const auto write = [&]<class T>(const char* name, std::int64_t columns,
                                    const std::vector<T>& less, const std::vector<T>& more) {
      if (less.size() == more.size()) return;
      file.write(name, std::ssize(less) / columns, std::span<const T>(more).subspan(less.size()));
    };
    write("keys", width, before.keys, until.keys);
    write("entry_starts", 1, before.entry_starts, until.entry_starts);
    write("sample_keys", width, before.sample_keys, until.sample_keys);
    write("sample_entries", 1, before.sample_entries, until.sample_entries);
    const bool last = end == std::ssize(own);
    file.write("sentence_starts", first,
               std::span<const std::int64_t>(all.sentence_starts)
                   .subspan(first, end - first + (last ? 1 : 0)));
  };
  const auto compute = [&](std::int64_t unit, const runtime::Abandoned&) {
    return runtime::ComputedUnit{{}, [&, unit](store::ShardFile& file) { write_unit(unit, file); }};
  };
  runtime::run_stage(
      context, {"encode", folder, {{"shards", cut.shards}}, [&] {
                  return jobs.run(
                      {prepare, compute, [](std::int64_t) { return core::Json::object(); }, ".h5"});
                }});
  context.comm.barrier();  // all manifests are there
}

/// Whether the rows of all ranks are the `wanted` entries with the smallest hashes, each once, with
/// their keys. Collective.
bool is_sample(const SampleRows& mine, const SampleSpec& wanted) {
  auto& world = test::world();
  const auto found = world.all_gather(std::span<const std::int64_t>(mine.entries)).values;
  const auto keys = world.all_gather(std::span(mine.keys)).values;
  std::map<std::uint64_t, std::int64_t> by_hash;
  for (std::int64_t entry = 0; entry < all_entries(); ++entry) {
    by_hash[core::seeded_hash(wanted.seed, static_cast<std::uint64_t>(entry))] = entry;
  }
  std::vector<std::int64_t> expected;
  for (const auto& [hash, entry] : by_hash) {
    if (std::ssize(expected) < wanted.size) expected.push_back(entry);
  }
  std::vector<std::uint16_t> expected_keys;
  for (const auto entry : found) {
    for (std::int64_t c = 0; c < width; ++c) expected_keys.push_back(key_of(entry, c));
  }
  return std::ranges::is_permutation(found, expected) &&
         std::ranges::equal(keys, std::as_bytes(std::span(expected_keys)));
}

}  // namespace

TEST_CASE(
    "a sample is the same rows, written aside or found, for any numbers of ranks and shards") {
  auto& world = test::world();
  obs::Log log(world.rank(), world.size());
  const std::vector<Cut> cuts = {{1, 9}, {2, 9}, {3, 9}, {7, 9}, {25, 9}, {1, corpus_sentences}};
  for (const Cut& cut : cuts) {
    const auto run_dir = test::shared_folder("sample");
    const auto folder = run_dir / "datastore";
    runtime::StageContext context{world, log, run_dir, runtime::StageContext::Force::no, "", 60};
    write_datastore(context, folder, cut);
    const SampledDatastore datastore{folder, cut.shards, {{}, {}, all_entries()},
                                     stored, true,       width};
    for (const SampleSpec wanted :
         {stored, SampleSpec{60, 1}, SampleSpec{201, 1}, SampleSpec{200, 2}, SampleSpec{1, 9},
          SampleSpec{all_entries(), 0}}) {
      INFO(cut.shards << " shards, " << wanted.size << " of seed " << wanted.seed);
      REQUIRE_ALL(is_sample(find_sample_rows(context, datastore, wanted), wanted));
    }
    world.barrier();
    if (world.is_root()) std::filesystem::remove_all(run_dir);
  }
}
