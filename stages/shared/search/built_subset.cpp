#include "stages/shared/search/built_subset.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"

namespace knnseq::stages {

namespace {

constexpr const char* command = "subset";

BuiltCorpus read_corpus(runtime::StageContext& context, const Options& options) {
  const CorpusPaths place = first_corpus(options);
  BuiltCorpus built{
      place, corpus_manifest(context, options, place), manifest_of(context, place, "encode"), {}};
  comm::agree(context.comm,
              [&] { require_made_from(built.datastore, "corpus", built.corpus, "encode"); });
  return built;
}

}  // namespace

SubsetSteps::SubsetSteps(const std::filesystem::path& run_dir) {
  const auto step = [&](const char* folder, const char* stage) {
    return StageRef{run_dir / "subset" / folder, stage, command};
  };
  vectors = step("vectors", "subset-encode-sentences");
  sentence_codebook = step("sentence-codebook", "subset-train-sentences");
  sentence_index = step("sentence-index", "subset-index-sentences");
  codebook = step("codebook", "subset-train-codes");
  codes = step("codes", "subset-code");
}

void refuse_appended(const Options& options) {
  if (options.append.empty()) return;
  throw core::InputError(
      "append: subsets are made of the first corpus only; use plain kNN with appended corpora");
}

SentenceVectors find_sentence_vectors(runtime::StageContext& context, const Options& options) {
  SentenceVectors vectors;
  if (options.subset.encoder == SentenceEncoder::torchscript) {
    const StageRef encoded = SubsetSteps(context.run_dir).vectors;
    vectors.source = {encoded.folder, "sentence_vectors", CodedRows::sentences};
    vectors.manifest = manifest_of(context, encoded);
    const auto model = fingerprint_files(context, {options.subset.model});
    comm::agree(context.comm, [&] {
      if (vectors.manifest.at("inputs").at("model") == model) return;
      throw core::InputError(vectors.source.folder,
                             "the sentences were encoded by another model "
                             "than " +
                                 options.subset.model.string());
    });
  } else {
    vectors.source = {Folders(context.run_dir).datastore, "sentence_keys", CodedRows::sentences};
    vectors.manifest = manifest_of(context, first_corpus(options), "encode");
    comm::agree(context.comm, [&] {
      if (vectors.manifest.at("inputs").at("sentence_keys").get<bool>()) return;
      throw core::InputError(
          "subset.encoder: mean needs the sentence keys that encode writes unless "
          "datastore.sentence_keys is false; or use bm25 or tfidf");
    });
  }
  comm::agree(context.comm, [&] {
    vectors.width = ShardKeys(vectors.source.folder, 0, vectors.source.dataset).width();
  });
  return vectors;
}

BuiltSubset read_subset(runtime::StageContext& context, const Options& options) {
  comm::agree(context.comm, [&] { refuse_appended(options); });
  BuiltSubset built;
  built.corpus = read_corpus(context, options);
  built.sentences = built.corpus.corpus.at("content").at("sentences");
  const SubsetSteps steps(context.run_dir);
  const auto codebook = manifest_of(context, steps.codebook);
  built.codes = manifest_of(context, steps.codes);
  comm::agree(context.comm, [&] {
    require_made_from(codebook, "datastore", built.corpus.datastore, command);
    require_made_from(built.codes, "codebook", codebook, command);
    require_made_from(built.codes, "datastore", built.corpus.datastore, command);
  });
  require_config(context, options, built.corpus, options.models.front());
  if (!options.subset.has_vectors()) return built;
  const auto vectors = find_sentence_vectors(context, options);
  const auto sentence_codebook = manifest_of(context, steps.sentence_codebook);
  built.sentence_index = manifest_of(context, steps.sentence_index);
  built.sentence_lists = sentence_codebook.at("content").at("lists");
  comm::agree(context.comm, [&] {
    require_made_from(vectors.manifest, "corpus", built.corpus.corpus, command);
    require_made_from(sentence_codebook, "vectors", vectors.manifest, command);
    require_made_from(built.sentence_index, "codebook", sentence_codebook, command);
    require_made_from(built.sentence_index, "vectors", vectors.manifest, command);
    if (built.sentence_lists > 0 && options.subset.nprobe > built.sentence_lists) {
      throw core::InputError(
          fmt::format("subset.nprobe {} is more than the sentence index's {} lists",
                      options.subset.nprobe, built.sentence_lists));
    }
  });
  return built;
}

}  // namespace knnseq::stages
