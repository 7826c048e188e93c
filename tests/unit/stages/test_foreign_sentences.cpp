// Sentences and their features as knn-seq stores them: how they are cut into batches, in which
// order features come, and what is refused.
#include <numeric>

#include <catch2/catch.hpp>

#include "comm/self_communicator.hpp"
#include "core/error.hpp"
#include "stages/import/foreign_features.hpp"
#include "store/hdf5_file.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::stages;
using Catch::Matchers::Contains;
using store::DataType;

namespace {

using Numbers = std::vector<std::int64_t>;

constexpr std::int64_t feature_width = 3;

template <class T>
void write_hdf5(const std::filesystem::path& path,
                const std::vector<std::pair<store::DatasetSpec, std::vector<T>>>& datasets) {
  const auto comm = comm::make_self_communicator();
  std::vector<store::DatasetSpec> specs;
  for (const auto& [spec, values] : datasets) specs.push_back(spec);
  store::Hdf5File::create(path, *comm, specs);
  auto file = store::Hdf5File::open_for_writing(path, *comm);
  for (const auto& [spec, values] : datasets) {
    file.write_bytes(spec.name, 0, std::as_bytes(std::span(values)));
  }
  file.close();
}

/// Values of one file, of which all datasets have 64 bits (knn-seq has 32 for some).
struct Stored {
  Numbers lengths, sort_order;
  std::int64_t tokens = 0;
};

/// One file of a store for each of `stored`, with features that tell file and line.
class StoredFiles {
 public:
  explicit StoredFiles(const std::vector<Stored>& stored) {
    for (std::size_t i = 0; i < stored.size(); ++i) {
      const auto& [lengths, order, tokens] = stored[i];
      const auto count = [](const Numbers& numbers) { return std::ssize(numbers); };
      options.values.push_back(folder / ("values." + std::to_string(i)));
      write_hdf5<std::int64_t>(options.values.back(),
                               {{{"tokens", DataType::int64, {tokens}, {}},
                                 Numbers(static_cast<std::size_t>(tokens), 2)},
                                {{"lengths", DataType::int64, {count(lengths)}, {}}, lengths},
                                {{"sort_order", DataType::int64, {count(order)}, {}}, order}});
      options.keys.push_back(folder / ("keys." + std::to_string(i)));
      write_hdf5<float>(
          options.keys.back(),
          {{{"memory", DataType::float32, {tokens, feature_width}, {}},
            std::vector<float>(static_cast<std::size_t>(tokens * feature_width), 1.0F)}});
      options.sentences.push_back(folder / ("features." + std::to_string(i)));
      write_features(i, order);
    }
  }

  /// Features of the lines, in this order.
  void write_features(std::size_t file, const Numbers& lines) const {
    std::vector<float> features;
    for (const auto line : lines) {
      features.insert(features.end(), {static_cast<float>(file + 1), static_cast<float>(line), 0});
    }
    write_hdf5<float>(
        options.sentences[file],
        {{{"memory", DataType::float32, {std::ssize(lines), feature_width}, {}}, features}});
  }

  ForeignStore store() const { return {options, {feature_width, 10}}; }
  ForeignSentences sentences() const {
    ForeignSentences sentences(options, store());
    sentences.find_batches();
    return sentences;
  }
  at::Tensor features() const {
    const auto all = sentences();
    return ForeignFeatures(options, all).read({0, all.sentences()});
  }
  std::string refusal() const {
    try {
      features();
    } catch (const core::InputError& e) {
      return e.what();
    }
    return "";
  }

  test::TemporaryFolder folder;
  ImportOptions options;
};

Numbers range(std::int64_t count) {
  Numbers all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

TEST_CASE("sentences of knn-seq have their lengths and lines, over all files") {
  const StoredFiles files({{{2, 3}, {1, 0}, 5}, {{1, 1, 4}, {2, 0, 1}, 6}});
  const auto sentences = files.sentences();
  CHECK(sentences.are_lines());
  CHECK(sentences.sentences() == 5);
  CHECK(sentences.batches() == 1);
  const auto described = sentences.describe({0, 1}, {});
  CHECK(described.line_numbers == Numbers{1, 0, 4, 2, 3});
  CHECK(described.sentence_starts == Numbers{0, 2, 5, 6, 7, 11});
  CHECK(described.entry_starts == Numbers{0, 2, 5, 6, 7});
  CHECK(described.sentence_numbers == range(5));
  CHECK(described.batch_starts == Numbers{0, 5});
  CHECK(described.source_starts == range(6));
}

TEST_CASE("batches hold whole sentences, and units whole batches") {
  Numbers lengths(300, 100);  // 40 a batch
  lengths[45] = 5000;         // a batch of its own
  const StoredFiles files({{lengths, range(300), 299 * 100 + 5000}});
  const auto sentences = files.sentences();
  CHECK(sentences.start_of(1).sentence == 40);
  CHECK(sentences.entries_of({2, 3}).size() == 5000);
  std::int64_t entries = 0;
  for (const auto& unit : sentences.units_of({0, sentences.batches()})) {
    CHECK(sentences.entries_of(unit).size() <= store::unit_entries);
    entries += sentences.entries_of(unit).size();
  }
  CHECK(entries == 299 * 100 + 5000);
  // The same as what stages cut that read the shard.
  auto whole = sentences.describe({0, sentences.batches()}, {});
  whole.target_tokens.resize(static_cast<std::size_t>(entries));
  CHECK(bool(sentences.units_of({0, sentences.batches()}) == store::cut_units(whole)));
}

TEST_CASE("features are found by their lines, whatever order they have") {
  StoredFiles files({{{2, 3}, {1, 0}, 5}, {{1, 1, 4}, {2, 0, 1}, 6}});
  const auto expected = at::tensor({1.0F, 1.0F, 0.0F, 1.0F, 0.0F, 0.0F, 2.0F, 2.0F, 0.0F, 2.0F,
                                    0.0F, 0.0F, 2.0F, 1.0F, 0.0F})
                            .view({5, 3})
                            .to(at::kHalf);
  CHECK(files.features().equal(expected));
  for (const Numbers& order : {Numbers{0, 1, 2}, Numbers{1, 2, 0}}) {
    files.write_features(1, order);
    CHECK_FALSE(files.features().equal(expected));
    files.options.source_values = {files.options.values[0], files.folder / "source"};
    write_hdf5<std::int64_t>(files.options.source_values[1],
                             {{{"sort_order", DataType::int64, {3}, {}}, order}});
    CHECK(files.features().equal(expected));
    files.options.source_values.clear();
  }
}

TEST_CASE("sentences that do not fit are refused by file, dataset and row") {
  const auto refusal = [](Numbers lengths, Numbers order, std::int64_t tokens = 5) {
    return StoredFiles({{std::move(lengths), std::move(order), tokens}}).refusal();
  };
  CHECK(refusal({2, 3}, {1, 0}).empty());
  CHECK_THAT(refusal({5, 0}, {1, 0}),
             Contains("values.0: row 1 of dataset 'lengths' is 0; a sentence has an end"));
  CHECK_THAT(refusal({6, -1}, {1, 0}), Contains("row 0 of dataset 'lengths' is more than is left"));
  CHECK_THAT(refusal({2, 2}, {1, 0}), Contains("'lengths' sums up to 4, 'tokens' has 5"));
  CHECK_THAT(refusal({2, 3}, {1, 1}),
             Contains("row 1 of dataset 'sort_order' is 1 for the second time"));
  CHECK_THAT(refusal({2, 3}, {1, 2}),
             Contains("row 1 of dataset 'sort_order' is 2, which is none of its 2 sentences"));
  CHECK_THAT(refusal({2, 3}, {1, 0, 2}), Contains("dataset 'sort_order' has 3 rows, 'lengths' 2"));
}

TEST_CASE("import.entries takes whole sentences") {
  StoredFiles files({{{2, 3}, {1, 0}, 5}, {{1, 1, 4}, {2, 0, 1}, 6}});
  files.options.entries = 6;
  const auto sentences = files.sentences();
  CHECK(sentences.sentences() == 3);
  CHECK(sentences.lines() == 5);
  CHECK(files.features().size(0) == 3);
  files.options.entries = 4;
  CHECK_THAT(files.refusal(), Contains("import.entries: 4 end within a sentence, which has the "
                                       "entries 2 to 4: take 2 or 5"));
}

TEST_CASE("features that do not fit are refused by file and row") {
  StoredFiles files({{{2, 3}, {1, 0}, 5}});
  const auto write = [&](const std::vector<float>& features, std::int64_t columns = feature_width) {
    const auto rows = std::ssize(features) / columns;
    write_hdf5<float>(files.options.sentences[0],
                      {{{"memory", DataType::float32, {rows, columns}, {}}, features}});
  };
  write({1, 2, 3, 0, 0, 0});
  CHECK_THAT(files.refusal(), Contains("features.0: row 1 holds zeros only"));
  write({1, INFINITY, 3, 1, 0, 0});
  CHECK_THAT(files.refusal(), Contains("row 0 holds a number that is not finite"));
  write({1, 2, 3, 1, 7e4F, 0});
  CHECK_THAT(files.refusal(), Contains("row 1 holds a number too large for fp16"));
  write({1, 2, 3});
  CHECK_THAT(files.refusal(), Contains("has features of 1 sentences"));
  files.folder.write("features.0", "text");
  CHECK_THAT(files.refusal(), Contains("neither NumPy's nor HDF5"));
  files.write_features(0, {0, 1});
  files.options.source_values = {files.folder / "source"};
  const auto order = [&](const Numbers& lines) {
    write_hdf5<std::int64_t>(files.options.source_values[0],
                             {{{"sort_order", DataType::int64, {std::ssize(lines)}, {}}, lines}});
  };
  order({0, 0});
  CHECK_THAT(files.refusal(), Contains("source: row 1 of dataset 'sort_order' is 0, which is there "
                                       "for the second time"));
  order({0, 1, 2});
  CHECK_THAT(files.refusal(), Contains("has 3 source sentences; the values have 2"));
  files.options.source_values.clear();
  files.folder.write("values.bin", "another's");
  files.options.sentences.push_back(files.folder / "more");
  CHECK_THAT(files.refusal(), Contains("one file for each of the 1 of import.values; there are 2"));
  files.options.sentences.pop_back();
  CHECK_THAT(files.refusal(), Contains("values.bin"));
  files.options.sentences.clear();
  CHECK_THAT(files.refusal(), Contains("import.sentences: one file for each"));
}
