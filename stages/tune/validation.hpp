// The text that tune measures settings on, with the model that reads it.
#pragma once

#include <memory>

#include "model/base/translation_model.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/shared/search/resident.hpp"
#include "stages/shared/text/held_out_text.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

inline constexpr const char* unpacked_text = "scratch";  ///< a folder, while text is read

struct Validation {
  std::unique_ptr<text::Tokenizer> tokenizer;
  model::TranslationModel* model = nullptr;  ///< a resident one
  HeldOutText text;  ///< pairs of tune.source and tune.reference; then those of tune.general
  std::int64_t own_tokens = 0;  ///< of tune.reference
};

/// Which texts are measured on.
enum class MeasuredTexts { own, general, own_and_general };

/// folder: the stage's own, for scratch files. Throws as read_held_out_text() and Resident::model()
/// do. Collective.
Validation read_validation(runtime::StageContext& context, const Options& options,
                           MeasuredTexts texts, const std::filesystem::path& folder,
                           Resident& resident);

/// All that makes a difference to the text, its queries and their neighbours, by name: inputs of
/// the stages that measure on it. Collective.
core::Json validation_inputs(runtime::StageContext& context, const Options& options,
                             MeasuredTexts texts);

/// The config with a value of the grid's nprobe or sentences.
Options with_breadth(Options options, std::int64_t search_width);

}  // namespace knnseq::stages
