#include "stages/shared/inputs/open_model.hpp"

#include <utility>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "gpu/torch_device.hpp"
#include "model/ensemble_model.hpp"
#include "model/load_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "text/files/line_filter.hpp"

namespace knnseq::stages {

namespace {

/// Throws core::InputError naming the model's path.
void check_fit(const model::ModelInfo& info, const text::Tokenizer& tokenizer,
               const std::filesystem::path& path) {
  if (tokenizer.vocab_size() > info.vocab_size) {
    throw core::InputError(path, fmt::format("the tokeniser has {} tokens, the model only {}",
                                             tokenizer.vocab_size(), info.vocab_size));
  }
  if (tokenizer.source_vocab_size() > info.source_vocab_size) {
    throw core::InputError(
        path, fmt::format("the tokeniser has {} tokens for the source, the model only {}",
                          tokenizer.source_vocab_size(), info.source_vocab_size));
  }
  if (tokenizer.eos() != info.eos || tokenizer.pad() != info.pad) {
    throw core::InputError(path,
                           fmt::format("end of sentence and pad are {} and {} for the model, {} "
                                       "and {} for the tokeniser",
                                       info.eos, info.pad, tokenizer.eos(), tokenizer.pad()));
  }
}

/// Throws core::InputError if a decoding asks for a dtype that its model cannot run in. Whether
/// this machine is good at the dtype does not matter before it decodes.
void require_dtypes(const runtime::StageContext& context, const Options& options,
                    const std::filesystem::path& path) {
  for (const auto& decoding : options.decode) {
    model::read_model_info(path, model_options(context, decoding.dtype));
  }
}

std::unique_ptr<model::TranslationModel> open(const std::filesystem::path& path,
                                              const model::ModelOptions& how,
                                              const text::Tokenizer& tokenizer) {
  auto model = model::load_model(path, how);
  check_fit(model->info(), tokenizer, path);
  return model;
}

}  // namespace

model::ModelOptions model_options(const runtime::StageContext& context, const std::string& dtype,
                                  std::vector<core::TokenId> forced_tokens) {
  return {dtype, std::move(forced_tokens), gpu::torch_device(context.placement.device)};
}

std::unique_ptr<text::Tokenizer> open_tokenizer(const Options& options) {
  return text::load_tokenizer(options.tokenizer, options.languages);
}

model::ModelInfo describe_model(const runtime::StageContext& context, const Options& options,
                                const text::Tokenizer& tokenizer) {
  for (const auto& path : options.models) {
    const auto info = model::read_model_info(path, model_options(context, "auto"));
    check_fit(info, tokenizer, path);
    if (info.family == "torchscript") require_dtypes(context, options, path);
  }
  const auto& path = options.models.front();
  const auto info = model::read_model_info(
      path, model_options(context, options.datastore.dtype, tokenizer.forced_target_tokens()));
  model::resolve_key(info, options.datastore.key, path);
  return info;
}

std::unique_ptr<model::TranslationModel> open_key_model(const runtime::StageContext& context,
                                                        const Options& options,
                                                        const text::Tokenizer& tokenizer) {
  return open(options.models.front(),
              model_options(context, options.datastore.dtype, tokenizer.forced_target_tokens()),
              tokenizer);
}

std::unique_ptr<model::TranslationModel> open_search_model(const runtime::StageContext& context,
                                                           const Options& options,
                                                           const DecodeOptions& decoding,
                                                           const text::Tokenizer& tokenizer) {
  const auto how = model_options(context, decoding.dtype, tokenizer.forced_target_tokens());
  if (options.models.size() == 1) return open(options.models.front(), how, tokenizer);
  std::vector<model::EnsembleMember> members;
  for (const auto& path : options.models) {
    members.push_back({path.string(), open(path, how, tokenizer)});
  }
  const bool all = decoding.knn && decoding.datastores.size() > 1;
  return model::make_ensemble(std::move(members),
                              all ? model::EnsembleQueries::all : model::EnsembleQueries::first);
}

core::Json tokenizer_fingerprint(runtime::StageContext& context, const Options& options) {
  std::vector<std::filesystem::path> files;
  comm::agree(context.comm, [&] { files = text::tokenizer_files(options.tokenizer); });
  return {{"files", fingerprint_files(context, files)},
          {"source_lang", options.languages.source},
          {"target_lang", options.languages.target},
          {"preprocess_source", filter_inputs(context, options.preprocess.source)},
          {"preprocess_target", filter_inputs(context, options.preprocess.target)}};
}

core::Json filter_inputs(runtime::StageContext& context, const std::string& command) {
  std::vector<std::filesystem::path> files;
  comm::on_root(context.comm, [&] { files = text::files_of_command(command); });
  const core::Json fingerprints = fingerprint_files(context, files);
  if (fingerprints.empty()) return command;
  return {{"command", command}, {"files", fingerprints}};
}

core::Json model_fingerprint(runtime::StageContext& context, const std::filesystem::path& path) {
  std::vector<std::filesystem::path> files;
  comm::agree(context.comm, [&] { files = model::model_files(path); });
  return fingerprint_files(context, files);
}

}  // namespace knnseq::stages
