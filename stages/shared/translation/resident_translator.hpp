// A decoding that stays open: requests are translated as they come, by all ranks together.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "obs/resources.hpp"
#include "stages/shared/search/open_mixer.hpp"
#include "stages/shared/trace/trace.hpp"
#include "stages/shared/translation/block_post.hpp"
#include "stages/shared/translation/block_translator.hpp"
#include "stages/shared/translation/learner.hpp"

namespace knnseq::stages {

struct TranslationRequest {
  std::string line;    ///< the source: valid text
  std::string prefix;  ///< what the translation begins with, valid text; empty: nothing
  std::int64_t nbest = 1;
  core::Json knn = nullptr;  ///< as with_settings() takes it
  std::optional<TraceOptions> trace = {};
  std::optional<Lesson> lesson = {};  ///< to be learned; then nothing is translated
};

struct TranslationAnswer {
  std::vector<search::Hypothesis> best;  ///< empty for an empty line
  std::vector<std::string> texts;        ///< of `best`, each one line of valid UTF-8
  core::Json trace;                      ///< of the best one, if it was asked for
  std::string error;                     ///< why there is no translation; empty: there is one
  std::int64_t learned_line = 0;         ///< LessonResult::line of a lesson
};

/// Rank 0 calls translate() as often as it likes, keep_alive() while it has nothing to do, and
/// end(). The other ranks call serve(), which returns after end().
class ResidentTranslator {
 public:
  /// Opens model, tokeniser and what the decoding searches in. Throws core::InputError on all
  /// ranks, as the stage decode does. Collective.
  ResidentTranslator(runtime::StageContext& context, const Options& options,
                     const DecodeOptions& decoding);

  /// Called once for each request, in any order, as soon as it is translated.
  using Deliver = std::function<void(std::size_t request, TranslationAnswer answer)>;

  /// Translates a batch. The same lines in one batch have the bytes of the stage decode. A request
  /// that cannot be translated gets an answer that says why. What a lesson teaches is found by the
  /// requests after it. Rank 0.
  void translate(const std::vector<TranslationRequest>& requests, const Deliver& deliver);

  /// Tells the other ranks that rank 0 is there, if it has not for a while. Rank 0.
  void keep_alive();
  /// Throws `failure` on all ranks (its core::Error), if there is one. Rank 0.
  void end(std::exception_ptr failure = {});

  /// Translates with rank 0 until it ends. Throws core::SystemError if nothing is heard of it for
  /// longer than the context's timeout_seconds. All other ranks.
  void serve();

  const model::ModelInfo& model_info() const { return model_->info(); }

 private:
  struct Sentence;  ///< of a batch, as all ranks have it
  struct Opened {   ///< what one mode of kNN searches in
    SearchedData data;
    std::optional<retrieval::KnnMixer> mixer;
    std::unique_ptr<retrieval::SubsetSearch> memory;
    std::unique_ptr<DatastoreText> text;
    std::unique_ptr<Learner> learner;  ///< of the run directory's own datastore
    std::string policy;                ///< the mixer's, as its inputs
  };

  using Requests = std::span<const TranslationRequest>;
  void translate_some(Requests requests, const Deliver& deliver);
  void learn_some(Requests requests, const Deliver& deliver);
  std::vector<LessonResult> learn(const std::vector<Lesson>& lessons);
  Sentence prepare(const TranslationRequest& request, const std::string& line) const;
  void work(const std::vector<Sentence>& batch, const Deliver& deliver);
  void translate_group(const std::vector<Sentence>& batch, const std::vector<std::int64_t>& group,
                       const Deliver& deliver);
  Opened& open(const DecodeOptions& decoding);
  void finish(const std::vector<Sentence>& batch, TranslatedBlock block, const Deliver& deliver);
  void trace_answers(const DecodeOptions& decoding, Opened* opened,
                     const std::vector<Sentence>& batch, const std::vector<std::int64_t>& group,
                     const Deliver& deliver);
  void tell_others(std::int64_t command);

  runtime::StageContext& context_;
  Options options_;
  DecodeOptions decoding_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  Resident resident_;
  model::TranslationModel* model_ = nullptr;
  std::map<KnnMode, Opened> opened_;
  BlockCollector collector_;
  std::map<std::int64_t, TranslationAnswer> untraced_;  ///< rank 0's, that wait for their traces
  std::size_t unfinished_ = 0;                          ///< rank 0's: sentences of the group
  obs::Stopwatch since_told_;                           ///< rank 0's: the others
};

}  // namespace knnseq::stages
