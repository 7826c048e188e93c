#include "stages/plan/measure.hpp"

#include <algorithm>

#include "comm/agreement.hpp"
#include "core/files.hpp"
#include "stages/add/add.hpp"
#include "stages/decode/decode.hpp"
#include "stages/encode/encode.hpp"
#include "stages/partition/partition.hpp"
#include "stages/shared/options/corpus_paths.hpp"
#include "stages/train/train.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t test_lines = 64;  ///< of each item of decode

/// Lines of the corpus that the short run works on.
std::int64_t lines_for(const Options& options, const Needs& needs) {
  const double a_line = static_cast<double>(needs.corpus.entries) /
                        static_cast<double>(std::max<std::int64_t>(needs.corpus.sentences, 1));
  const double wanted = 1.3 * static_cast<double>(needs.index.least_sample()) / a_line;
  return std::max(options.plan.lines, static_cast<std::int64_t>(wanted));
}

/// What the config becomes: first lines of its texts, in `folder`.
Options shortened(const Options& options, const fs::path& folder) {
  Options less = options;
  less.run_dir = folder / "run";
  less.append.clear();
  less.corpus.source = {folder / "corpus.source"};
  less.corpus.target = {folder / "corpus.target"};
  std::erase_if(less.decode, [](const DecodeOptions& item) {
    return !item.datastores.empty() || (item.knn && item.mode != KnnMode::plain);
  });
  for (auto& item : less.decode) {
    item.source = folder / ("test-" + item.name);
    item.reference.reset();
  }
  return less;
}

}  // namespace

Rates measure_rates(runtime::StageContext& context, const Options& options, const Needs& needs) {
  const fs::path folder = options.plan.measure.string() + ".run";
  const Options less = shortened(options, folder);
  comm::on_root(context.comm, [&] {
    fs::remove_all(folder);
    core::make_directories(less.run_dir);
    const auto lines = lines_for(options, needs);
    text::copy_first_lines(options.corpus.source, lines, less.corpus.source.front());
    text::copy_first_lines(options.corpus.target, lines, less.corpus.target.front());
    for (const auto& item : less.decode) {
      const auto same = std::ranges::find(options.decode, item.name, &DecodeOptions::name);
      text::copy_first_lines({same->source}, test_lines, item.source);
    }
  });
  runtime::StageContext in_folder = context;
  in_folder.run_dir = less.run_dir;
  const auto corpus = first_corpus(less);
  partition(in_folder, less, corpus);
  encode(in_folder, less, corpus);
  train(in_folder, less);
  add(in_folder, less, corpus);
  for (const auto& item : less.decode) decode(in_folder, less, {item.name});
  context.log.set_stage("plan");
  Rates rates;
  comm::agree(context.comm, [&] { rates = rates_of_run(less.run_dir); });
  comm::on_root(context.comm, [&] { fs::remove_all(folder); });
  return rates;
}

}  // namespace knnseq::stages
