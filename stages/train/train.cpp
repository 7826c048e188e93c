#include "stages/train/train.hpp"

#include "stages/shared/training/train_on_keys.hpp"

namespace knnseq::stages {

void train(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("train");
  train_on_keys(context, options, first_corpus(options).step("train"), [&](std::int64_t width) {
    return index::parse_index_spec(options.index.factory, width, options.index.metric);
  });
}

}  // namespace knnseq::stages
