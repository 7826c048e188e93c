#include "stages/run/run.hpp"

#include <algorithm>

#include "obs/terminal.hpp"
#include "runtime/stage_record.hpp"
#include "stages/add/add.hpp"
#include "stages/append/append.hpp"
#include "stages/decode/decode.hpp"
#include "stages/encode/encode.hpp"
#include "stages/evaluate/evaluate.hpp"
#include "stages/partition/partition.hpp"
#include "stages/subset/subset.hpp"
#include "stages/train/train.hpp"

namespace knnseq::stages {

namespace {
/// Whether there is anything for evaluate to do.
bool has_reference(const Options& options) {
  return std::any_of(options.decode.begin(), options.decode.end(),
                     [](const DecodeOptions& set) { return set.reference.has_value(); });
}
}  // namespace

std::vector<std::string> commands(const Options& options) {
  std::vector<std::string> all = {"partition", "encode", "train", "add"};
  for (const auto& corpus : options.append) all.push_back("append " + corpus.name);
  if (options.decodes_subsets()) all.push_back("subset");
  for (const auto& decoding : options.decode) all.push_back("decode " + decoding.name);
  if (has_reference(options)) all.push_back("evaluate");
  return all;
}

std::vector<std::string> recorded_stages(const Options& options) {
  std::vector<std::string> stages = {"partition", "encode", "train", "add"};
  for (const auto& place : appended_corpora(options)) {
    for (const char* stage : {"partition", "encode", "add", "measure"}) {
      stages.push_back(place.stage_name(stage));
    }
  }
  if (options.decodes_subsets()) {
    const auto steps = subset_stages(options);
    stages.insert(stages.end(), steps.begin(), steps.end());
  }
  for (const auto& decoding : options.decode) stages.push_back("decode-" + decoding.name);
  return stages;
}

void run(runtime::StageContext& context, const Options& options) {
  const CorpusPaths first = first_corpus(options);
  partition(context, options, first);
  encode(context, options, first);
  train(context, options);
  add(context, options, first);
  if (!options.append.empty()) append(context, options, {});
  if (options.decodes_subsets()) subset(context, options);
  if (!options.decode.empty()) decode(context, options, {});
  if (has_reference(options)) evaluate(context, options);
  if (context.comm.is_root()) {
    obs::print(runtime::stage_table(context.run_dir, recorded_stages(options)));
  }
}

}  // namespace knnseq::stages
