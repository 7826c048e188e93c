// The models and the tokeniser that the config names.
#pragma once

#include <memory>
#include <vector>

#include "core/files.hpp"
#include "model/load_model.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// Throws core::InputError naming file or key. Not collective.
std::unique_ptr<text::Tokenizer> open_tokenizer(const Options& options);

/// How the config's models are loaded: in this dtype, on this rank's device.
model::ModelOptions model_options(const runtime::StageContext& context, const std::string& dtype,
                                  std::vector<core::TokenId> forced_tokens = {});

/// What the first model says of itself, which gives the keys that the config asks for. Checks that
/// the tokeniser fits all models, and that all TorchScript models can run on the device and in the
/// dtypes asked for, so that none is refused after the datastore is made. Throws
/// core::InputError. Not collective.
model::ModelInfo describe_model(const runtime::StageContext& context, const Options& options,
                                const text::Tokenizer& tokenizer);

/// The model that makes keys: the first. Throws core::InputError. Not collective.
std::unique_ptr<model::TranslationModel> open_key_model(const runtime::StageContext& context,
                                                        const Options& options,
                                                        const text::Tokenizer& tokenizer);

/// The model that translates: all models as one ensemble, whose queries are the first one's, or
/// with a datastore per model those of all side by side. Throws core::InputError. Not collective.
std::unique_ptr<model::TranslationModel> open_search_model(const runtime::StageContext& context,
                                                           const Options& options,
                                                           const DecodeOptions& decoding,
                                                           const text::Tokenizer& tokenizer);

/// Fingerprint of all that decides how text becomes tokens: files, languages, commands.
/// Collective; throws core::InputError on all ranks.
core::Json tokenizer_fingerprint(runtime::StageContext& context, const Options& options);

/// A user's filter as an input: the command and the files that it names. What these
/// read in turn is not known. Collective; throws core::InputError on all ranks.
core::Json filter_inputs(runtime::StageContext& context, const std::string& command);

/// Fingerprint of one model. Collective; throws core::InputError on all ranks.
core::Json model_fingerprint(runtime::StageContext& context, const std::filesystem::path& path);

}  // namespace knnseq::stages
