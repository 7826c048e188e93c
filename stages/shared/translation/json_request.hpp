// Requests and answers as JSON.
#pragma once

#include <string>

#include "stages/shared/translation/resident_translator.hpp"

namespace knnseq::stages {

/// What a JSON object asks for (docs/translate.md).
struct JsonRequest {
  TranslationRequest request;
  core::Json echoed = core::Json::object();  ///< fields that come back: "id" and "reference"
  bool lists = false;                        ///< "nbest" was given: all translations are listed
  std::string error;                         ///< why it cannot be read; empty: it can
};

/// Never throws for what is in the text: see JsonRequest::error.
JsonRequest read_request(const std::string& text);

/// The answer's JSON object, with "error" if the request could not be read or translated.
core::Json answer_of(const JsonRequest& request, const TranslationAnswer& answer);

}  // namespace knnseq::stages
