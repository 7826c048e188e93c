#include "stages/subset/subset.hpp"

#include "comm/agreement.hpp"
#include "stages/shared/search/built_subset.hpp"
#include "stages/subset/code_entries.hpp"
#include "stages/subset/encode_sentences.hpp"
#include "stages/subset/index_sentences.hpp"

namespace knnseq::stages {

void subset(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("subset");
  const auto datastore =
      manifest_of<DatastoreManifest>(context, first_corpus(options).step("encode"));
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

}  // namespace knnseq::stages
