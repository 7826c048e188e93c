// The model and the indexes that decoding needs, kept in memory from one test set to the next.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "model/base/translation_model.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/shared/search/open_search.hpp"
#include "stages/shared/search/open_subset.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

class Resident {
 public:
  /// What open_search_model() opens; kept until another is asked for, of another dtype say. Throws
  /// as it does. Not collective.
  model::TranslationModel& model(const runtime::StageContext& context, const Options& options,
                                 const DecodeOptions& decoding, const text::Tokenizer& tokenizer);

  /// The datastores' indexes, in their order; those that were opened for the decoding before, and
  /// no others, are kept. How many copies there are is chosen when one is opened: those that are
  /// there take the memory that a later choice would ask for. Throws as choose_copies() and
  /// open_index() do. Collective.
  std::vector<OpenIndex> indexes(runtime::StageContext& context, const DecodeOptions& decoding,
                                 const std::vector<BuiltDatastore>& datastores);

  /// What open_subset() loads; kept until another one is asked for. Throws as it does. Collective.
  std::shared_ptr<retrieval::SubsetSearch::Parts> subset_parts(runtime::StageContext& context,
                                                               const Options& options,
                                                               const BuiltSubset& built,
                                                               IndexCopies wanted);

 private:
  std::string model_key_;
  std::unique_ptr<model::TranslationModel> model_;
  std::map<std::string, OpenIndex> indexes_;
  std::string subset_key_;
  std::shared_ptr<retrieval::SubsetSearch::Parts> subset_;
};

}  // namespace knnseq::stages
