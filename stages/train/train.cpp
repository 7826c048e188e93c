#include "stages/train/train.hpp"

#include "stages/shared/inputs/put_in_place.hpp"
#include "stages/shared/training/train_on_keys.hpp"
#include "stages/train/continue_training.hpp"

namespace knnseq::stages {

void train(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("train");
  finish_replacing(context, retraining);
  if (options.train.continued) {
    continue_training(context, options);
    return;
  }
  train_on_keys(context, options, first_corpus(options).step("train"), [&](std::int64_t width) {
    return index::parse_index_spec(options.index.factory, width, options.index.metric);
  });
}

}  // namespace knnseq::stages
