#include "model/base/model_info.hpp"

#include <fmt/format.h>

namespace knnseq::model {

KeySpec resolve_key(const ModelInfo& info, KeySpec asked, const std::string& where) {
  const KeySpec key = asked.resolved(info.decoder_layers);
  if (info.only_key && key != *info.only_key) {
    throw core::InputError(
        where, fmt::format("key: its script gives {} of layer {} only, not {} of layer {}",
                           core::name_of(info.only_key->kind), info.only_key->layer,
                           core::name_of(key.kind), key.layer));
  }
  return key;
}

}  // namespace knnseq::model
