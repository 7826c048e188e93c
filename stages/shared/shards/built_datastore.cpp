#include "stages/shared/shards/built_datastore.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "runtime/shard_jobs.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"

namespace knnseq::stages {

namespace {

BuiltCorpus read_corpus(runtime::StageContext& context, const CorpusPaths& place) {
  return {place, manifest_of(context, place, "partition"), manifest_of(context, place, "encode"),
          manifest_of(context, place, "add")};
}

void require_chain(const BuiltCorpus& built, const core::Json& codebook) {
  const auto& place = built.place;
  require_made_from(built.datastore, "corpus", built.corpus, place.command("encode"));
  if (!place.appended()) require_made_from(codebook, "datastore", built.datastore, "train");
  require_made_from(built.index, "datastore", built.datastore, place.command("add"));
  require_made_from(built.index, "codebook", codebook, place.command("add"));
}

void require_fits_first(const BuiltCorpus& built, const BuiltCorpus& first) {
  const auto fail = [&](const std::string& what) {
    throw core::InputError(built.place.folder, what + "; run 'knnseq " +
                                                   built.place.command("partition") + " --force'");
  };
  const auto same = [](const core::Json& a, const core::Json& b, const char* input) {
    return a.at("inputs").at(input) == b.at("inputs").at(input);
  };
  if (built.shards() != first.shards())
    fail("was dealt to another number of shards than the corpus");
  if (!same(built.corpus, first.corpus, "tokenizer"))
    fail("was tokenised otherwise than the corpus");
  for (const char* input : {"model", "key", "layer"}) {
    if (same(built.datastore, first.datastore, input)) continue;
    fail(fmt::format("its keys are of another {} than the datastore's", input));
  }
  if (built.index.at("inputs").at("first_entry") != built.place.first_entry) {
    fail("the corpora before it have another number of entries since");
  }
}

}  // namespace

std::int64_t BuiltDatastore::entries() const {
  return corpora.back().place.first_entry + corpora.back().entries();
}

BuiltDatastore read_datastore(runtime::StageContext& context, const CorpusPaths& first,
                              const std::vector<CorpusPaths>& appended) {
  BuiltDatastore built;
  built.codebook = manifest_of(context, first, "train");
  built.corpora.push_back(read_corpus(context, first));
  for (const auto& place : appended) {
    const std::int64_t before = built.entries();
    built.corpora.push_back(read_corpus(context, place));
    built.corpora.back().place.first_entry = before;
  }
  comm::agree(context.comm, [&] {
    for (const auto& corpus : built.corpora) {
      require_chain(corpus, built.codebook);
      if (corpus.place.appended()) require_fits_first(corpus, built.first());
    }
  });
  return built;
}

void require_config(runtime::StageContext& context, const Options& options,
                    const BuiltCorpus& built, const std::filesystem::path& model) {
  const auto tokenizer = tokenizer_fingerprint(context, options);
  const auto fingerprint = model_fingerprint(context, model);
  comm::agree(context.comm, [&] {
    const auto& folder = built.place.folder;
    const auto& stored = built.datastore.at("inputs");
    const auto layers = built.datastore.at("content").at("decoder_layers").get<std::int64_t>();
    const auto key = options.datastore.key.resolved(layers);
    if (stored.at("key") != model::to_string(key.kind) || stored.at("layer") != key.layer) {
      throw core::InputError(
          folder, fmt::format("the datastore's keys are {} of layer {}, the config asks for {} of "
                              "layer {}",
                              stored.at("key").get<std::string>(), stored.at("layer").dump(),
                              model::to_string(key.kind), key.layer));
    }
    if (stored.at("model") != fingerprint) {
      throw core::InputError(
          folder, "the datastore's keys were made by another model than " + model.string());
    }
    if (built.corpus.at("inputs").at("tokenizer") != tokenizer) {
      throw core::InputError(folder, "the datastore's corpus was tokenised otherwise");
    }
  });
}

std::filesystem::path checked_shard_file(const std::filesystem::path& folder, std::int64_t shard,
                                         const std::string& remedy) {
  const auto file = folder / (runtime::shard_name(shard) + ".faiss");
  const core::Json manifest = runtime::read_shard_manifest(folder, shard);
  if (manifest.at("fingerprint") == core::fingerprint_file(file)) return file;
  throw core::InputError(file, "is damaged (its bytes do not match its manifest); " + remedy);
}

std::filesystem::path index_file(const CorpusPaths& place, std::int64_t shard) {
  return place.index / (runtime::shard_name(shard) + ".faiss");
}

std::filesystem::path checked_index_file(const CorpusPaths& place, std::int64_t shard) {
  return checked_shard_file(
      place.index, shard,
      fmt::format("{}run 'knnseq {} --force'", place.appended() ? "remove it and " : "",
                  place.command("add")));
}

}  // namespace knnseq::stages
