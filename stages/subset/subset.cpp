#include "stages/subset/subset.hpp"

#include "comm/agreement.hpp"
#include "stages/built_subset.hpp"
#include "stages/subset/code_entries.hpp"
#include "stages/subset/encode_sentences.hpp"
#include "stages/subset/index_sentences.hpp"

namespace knnseq::stages {

void subset(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("subset");
  comm::agree(context.comm, [&] { refuse_appended(options); });
  if (options.subset.encoder == SentenceEncoder::torchscript) encode_sentences(context, options);
  if (options.subset.has_vectors()) {
    index_sentences(context, options, find_sentence_vectors(context, options));
  }
  code_entries(context, options);
}

std::vector<std::string> subset_stages(const Options& options) {
  std::vector<std::string> stages;
  if (options.subset.encoder == SentenceEncoder::torchscript) {
    stages.push_back("subset-encode-sentences");
  }
  if (options.subset.has_vectors()) {
    stages.insert(stages.end(), {"subset-train-sentences", "subset-index-sentences"});
  }
  stages.insert(stages.end(), {"subset-train-codes", "subset-code"});
  return stages;
}

}  // namespace knnseq::stages
