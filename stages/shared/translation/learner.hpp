// Learning while translating: a corrected pair is found from the next request on, and stays.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/base/translation_model.hpp"
#include "retrieval/knn_mixer.hpp"
#include "stages/shared/text/sentence_pairs.hpp"
#include "stages/shared/trace/datastore_text.hpp"
#include "stages/shared/translation/learned_entries.hpp"
#include "stages/shared/translation/learned_text.hpp"

namespace knnseq::stages {

/// A pair to be learned; lines of valid text.
struct Lesson {
  std::string source;
  std::string target;
};

struct LessonResult {
  std::int64_t line = 0;  ///< of the learned text, from 1
  std::string error;      ///< why it was not learned; empty: it was
};

/// What learning works on; all must outlive it.
struct LearnerTools {
  const Options& options;
  const BuiltDatastore& datastore;
  const text::Tokenizer& tokenizer;
  model::TranslationModel& model;
  retrieval::KnnMixer& mixer;  ///< whose first datastore grows
  DatastoreText& text;
};

/// Of an open decoding that searches in the run directory's own datastore.
class Learner {
 public:
  /// Takes up what was learned before and is not in the index yet. Throws core::InputError on all
  /// ranks. Collective.
  Learner(runtime::StageContext& context, LearnerTools tools,
          const retrieval::SearchOptions& search);

  /// Learns the lessons of rank 0; its results, one for each, are rank 0's. A pair is durable when
  /// this returns. Collective.
  std::vector<LessonResult> learn(const std::vector<Lesson>& lessons,
                                  const retrieval::SearchOptions& search);

 private:
  LearnedPair tokenise(const Lesson& lesson) const;
  LessonResult learn_one(const Lesson& lesson);
  void keep(const LearnedPair& pair, index::CodedEntries coded, std::int64_t line);
  void search_them(const retrieval::SearchOptions& search);

  runtime::StageContext& context_;
  LearnerTools tools_;
  PairRules rules_;
  LearnedText written_;                    ///< rank 0's
  std::optional<LearnedEntries> entries_;  ///< from the first pair on
};

}  // namespace knnseq::stages
