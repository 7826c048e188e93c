#include "stages/shared/search/built_subset.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"

namespace knnseq::stages {

namespace {

constexpr const char* command = "subset";

BuiltCorpus read_first_corpus(runtime::StageContext& context, const Options& options) {
  const CorpusPaths paths = first_corpus(options);
  BuiltCorpus built{paths,
                    corpus_manifest(context, options, paths),
                    manifest_of<DatastoreManifest>(context, paths.step("encode")),
                    {}};
  comm::agree(context.comm, [&] {
    require_made_from({"corpus", built.datastore.made_from.corpus, "encode"},
                      built.corpus.identity);
  });
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
    const auto sentences = manifest_of<SentencesManifest>(context, encoded);
    vectors.identity = sentences.identity;
    vectors.corpus = sentences.corpus;
    const auto model = fingerprint_files(context, {options.subset.model});
    comm::agree(context.comm, [&] {
      if (sentences.model == model) return;
      throw core::InputError(vectors.source.folder,
                             "the sentences were encoded by another model "
                             "than " +
                                 options.subset.model.string());
    });
  } else {
    vectors.source = {Folders(context.run_dir).datastore, "sentence_keys", CodedRows::sentences};
    const auto datastore =
        manifest_of<DatastoreManifest>(context, first_corpus(options).step("encode"));
    vectors.identity = datastore.identity;
    vectors.corpus = datastore.made_from.corpus;
    comm::agree(context.comm, [&] {
      if (datastore.made_from.sentence_keys) return;
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
  built.corpus = read_first_corpus(context, options);
  const SubsetSteps steps(context.run_dir);
  const auto codebook = manifest_of<CodebookManifest>(context, steps.codebook);
  built.codes = manifest_of<CodesManifest>(context, steps.codes);
  const auto& datastore = built.corpus.datastore.identity;
  comm::agree(context.comm, [&] {
    require_made_from({"datastore", codebook.vectors, command}, datastore);
    require_made_from({"codebook", built.codes.codebook, command}, codebook.identity);
    require_made_from({"datastore", built.codes.vectors, command}, datastore);
  });
  require_config(context, options, built.corpus, options.models.front());
  if (!options.subset.has_vectors()) return built;
  const auto vectors = find_sentence_vectors(context, options);
  const auto sentence_codebook = manifest_of<CodebookManifest>(context, steps.sentence_codebook);
  built.sentence_index = manifest_of<CodesManifest>(context, steps.sentence_index);
  const auto& index = built.sentence_index;
  const auto lists = sentence_codebook.facts.lists;
  comm::agree(context.comm, [&] {
    require_made_from({"corpus", vectors.corpus, command}, built.corpus.corpus.identity);
    require_made_from({"vectors", sentence_codebook.vectors, command}, vectors.identity);
    require_made_from({"codebook", index.codebook, command}, sentence_codebook.identity);
    require_made_from({"vectors", index.vectors, command}, vectors.identity);
    if (lists > 0 && options.subset.nprobe > lists) {
      throw core::InputError(
          fmt::format("subset.nprobe {} is more than the sentence index's {} lists",
                      options.subset.nprobe, lists));
    }
  });
  return built;
}

}  // namespace knnseq::stages
