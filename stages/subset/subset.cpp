#include "stages/subset/subset.hpp"

#include "comm/agreement.hpp"
#include "stages/shared/search/built_subset.hpp"
#include "stages/subset/code_entries.hpp"
#include "stages/subset/encode_sentences.hpp"
#include "stages/subset/index_sentences.hpp"

namespace knnseq::stages {

void subset(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("subset");
  const auto datastore = manifest_of(context, first_corpus(options), "encode");
  comm::agree(context.comm, [&] {
    refuse_appended(options);
    require_keys(datastore, "subset");
  });
  if (options.subset.encoder == SentenceEncoder::torchscript) encode_sentences(context, options);
  if (options.subset.has_vectors()) {
    index_sentences(context, options, find_sentence_vectors(context, options));
  }
  code_entries(context, options);
}

std::vector<std::string> subset_stages(const Options& options) {
  const SubsetOptions& subset = options.subset;
  std::vector<const char*> names;
  if (subset.encoder == SentenceEncoder::torchscript) names = {"subset-encode-sentences"};
  if (subset.has_vectors()) {
    names.insert(names.end(), {"subset-train-sentences", "subset-index-sentences"});
  }
  names.insert(names.end(), {"subset-train-codes", "subset-code"});
  return {names.begin(), names.end()};
}

}  // namespace knnseq::stages
