// The tiny archives of tests/data/torchscript; tests/support/make_torchscript_reference.py says
// what they are.
#pragma once

#include <filesystem>
#include <memory>

#include "core/files.hpp"
#include "model/load_model.hpp"

namespace knnseq::test {

struct TorchscriptFixture {
  std::filesystem::path folder;
  model::KeySpec key;  ///< what the archive gives
  core::Json beam;
  std::unique_ptr<model::TranslationModel> model;

  TorchscriptFixture(const std::string& name, model::KeySpec given)
      : folder(std::filesystem::path(KNNSEQ_SOURCE_DIR) / "tests/data/torchscript" / name),
        key(given),
        beam(core::read_json(folder / "beam.json")) {
    model::ModelOptions options;
    options.forced_tokens = beam.value("forced", std::vector<core::TokenId>());
    model = model::load_model(folder / "model.pt", options);
  }
};

inline TorchscriptFixture mbart() { return {"mbart", {model::KeyKind::ffn_out, -2}}; }
inline TorchscriptFixture t5() { return {"t5", model::KeyKind::ffn_in}; }

}  // namespace knnseq::test
