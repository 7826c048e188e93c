#include "stages/shared/search/built_subset.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "model/sentence_encoder.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"

namespace knnseq::stages {

namespace {

constexpr const char* command = "subset";
constexpr std::int64_t most_sentences = core::max_entry_number;

BuiltCorpus read_coded_corpus(runtime::StageContext& context, const Options& options,
                              const CorpusPaths& paths) {
  BuiltCorpus built{paths,
                    corpus_manifest(context, options, paths),
                    manifest_of<DatastoreManifest>(context, paths.step("encode")),
                    {}};
  built.index.entries = built.corpus.entries;
  comm::agree(context.comm, [&] {
    require_made_from({"corpus", built.datastore.made_from.corpus, paths.command("encode")},
                      built.corpus.identity);
    require_similar_sentences(built.corpus, built.datastore, options.subset);
  });
  return built;
}

/// Features that came with an imported datastore: whose they are is not known, but how wide.
void require_encoder_of_width(runtime::StageContext& context, const Options& options,
                              const DatastoreManifest& datastore, std::int64_t width) {
  comm::on_root(context.comm, [&] {
    const bool own = options.subset.encoder == SentenceEncoder::torchscript;
    const auto of_encoder = own ? model::SentenceEncoder(options.subset.model).width()
                                : datastore.encoder_width.value_or(width);
    if (width == of_encoder) return;
    throw core::InputError(fmt::format(
        "the datastore came with sentence features of width {}, and subset.encoder: {} gives {}: "
        "they are another encoder's",
        width, core::name_of(options.subset.encoder), of_encoder));
  });
}

/// The codebooks that all corpora are coded with.
struct Codebooks {
  CodebookManifest entries, sentences;
};

SubsetCorpus read_subset_corpus(runtime::StageContext& context, const Options& options,
                                const CorpusPaths& paths, const Codebooks& codebooks) {
  const SubsetSteps steps(paths);
  SubsetCorpus corpus{read_coded_corpus(context, options, paths),
                      manifest_of<CodesManifest>(context, steps.codes),
                      {}};
  const auto& built = corpus.built;
  comm::agree(context.comm, [&] {
    require_made_from({"codebook", corpus.codes.codebook, command}, codebooks.entries.identity);
    require_made_from({"datastore", corpus.codes.vectors, command}, built.datastore.identity);
  });
  if (!options.subset.has_vectors()) return corpus;
  const auto vectors = find_sentence_vectors(context, options, paths);
  corpus.sentence_index = manifest_of<CodesManifest>(context, steps.sentence_index);
  comm::agree(context.comm, [&] {
    require_made_from({"corpus", vectors.corpus, command}, built.corpus.identity);
    if (!paths.appended()) {
      require_made_from({"vectors", codebooks.sentences.vectors, command}, vectors.identity);
    }
    require_made_from({"codebook", corpus.sentence_index.codebook, command},
                      codebooks.sentences.identity);
    require_made_from({"vectors", corpus.sentence_index.vectors, command}, vectors.identity);
  });
  return corpus;
}

/// Of an appended corpus: its numbers go on where those of the corpora before it end.
void require_first_sentence(runtime::StageContext& context, const Options& options,
                            const SubsetCorpus& corpus) {
  if (!options.subset.has_vectors() || !corpus.built.paths.appended()) return;
  const auto step = SubsetSteps(corpus.built.paths).sentence_index;
  const auto manifest = read_on_root(context, step, [](const store::Manifest&) {});
  comm::agree(context.comm, [&] {
    const auto made_with = manifest.input_fields().at("first_sentence").number(0, most_sentences);
    if (made_with == corpus.first_sentence) return;
    throw core::InputError(step.folder,
                           "the corpora before it have another number of sentences since; run "
                           "'knnseq subset --force'");
  });
}

}  // namespace

SubsetSteps::SubsetSteps(const CorpusPaths& paths) {
  const auto step = [&](const std::filesystem::path& folder, const char* name,
                        const std::string& stage) {
    return StageRef{folder / "subset" / name, stage, command};
  };
  const auto own = [&](const char* name, const std::string& stage) {
    return step(paths.folder, name, paths.stage_name(stage));
  };
  const auto run_dir = paths.codebook.parent_path();
  vectors = own("vectors", "subset-encode-sentences");
  sentence_codebook = step(run_dir, "sentence-codebook", "subset-train-sentences");
  sentence_index = own("sentence-index", "subset-index-sentences");
  codebook = step(run_dir, "codebook", "subset-train-codes");
  codes = own("codes", "subset-code");
}

SubsetCorpora find_subset_corpora(runtime::StageContext& context, const Options& options) {
  SubsetCorpora corpora;
  corpora.paths = appended_corpora(options);
  corpora.paths.insert(corpora.paths.begin(), first_corpus(options));
  std::int64_t entries = 0;
  std::int64_t sentences = 0;
  for (auto& paths : corpora.paths) {
    paths.first_entry = entries;
    corpora.first_sentences.push_back(sentences);
    const auto corpus = corpus_manifest(context, options, paths);
    entries += corpus.entries;
    sentences += corpus.sentences;
  }
  return corpora;
}

std::int64_t BuiltSubset::sentences() const {
  std::int64_t sum = 0;
  for (const auto& corpus : corpora) sum += corpus.built.corpus.sentences;
  return sum;
}

std::int64_t BuiltSubset::end_of_sentences() const {
  return corpora.back().first_sentence + corpora.back().built.corpus.sentences;
}

std::int64_t BuiltSubset::end_of_entries() const {
  const auto& last = corpora.back().built;
  return last.paths.first_entry + last.corpus.entries;
}

SentenceVectors find_sentence_vectors(runtime::StageContext& context, const Options& options,
                                      const CorpusPaths& paths) {
  SentenceVectors vectors;
  const bool imported = corpus_manifest(context, options, paths).imported;
  if (options.subset.encoder == SentenceEncoder::torchscript && !imported) {
    const StageRef encoded = SubsetSteps(paths).vectors;
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
    vectors.source = {paths.datastore, "sentence_keys", CodedRows::sentences};
    const auto datastore = manifest_of<DatastoreManifest>(context, paths.step("encode"));
    vectors.identity = datastore.identity;
    vectors.corpus = datastore.made_from.corpus;
    comm::agree(context.comm, [&] {
      if (datastore.made_from.sentence_keys || imported) return;
      throw core::InputError(
          "subset.encoder: mean needs the sentence keys that encode writes unless "
          "datastore.sentence_keys is false; or use bm25 or tfidf");
    });
  }
  comm::agree(context.comm, [&] {
    vectors.width = ShardKeys(vectors.source.folder, 0, vectors.source.dataset).width();
  });
  if (imported) {
    const auto datastore = manifest_of<DatastoreManifest>(context, paths.step("encode"));
    require_encoder_of_width(context, options, datastore, vectors.width);
  }
  return vectors;
}

BuiltSubset read_subset(runtime::StageContext& context, const Options& options,
                        const std::vector<std::string>& corpora) {
  const auto all = find_subset_corpora(context, options);
  const SubsetSteps steps(all.paths.front());
  Codebooks codebooks{manifest_of<CodebookManifest>(context, steps.codebook), {}};
  if (options.subset.has_vectors()) {
    codebooks.sentences = manifest_of<CodebookManifest>(context, steps.sentence_codebook);
  }
  BuiltSubset subset;
  for (std::size_t i = 0; i < all.paths.size(); ++i) {
    auto corpus = read_subset_corpus(context, options, all.paths[i], codebooks);
    corpus.first_sentence = all.first_sentences[i];
    require_first_sentence(context, options, corpus);
    if (i == 0) {
      comm::agree(context.comm, [&] {
        require_made_from({"datastore", codebooks.entries.vectors, command},
                          corpus.built.datastore.identity);
      });
      require_config(context, options, corpus.built, options.models.front());
    }
    const bool wanted =
        corpora.empty() || std::ranges::find(corpora, name_of(corpus.built)) != corpora.end();
    if (wanted) subset.corpora.push_back(std::move(corpus));
  }
  const auto lists = codebooks.sentences.facts.lists;
  comm::agree(context.comm, [&] {
    if (lists == 0 || options.subset.nprobe <= lists) return;
    throw core::InputError(
        fmt::format("subset.nprobe {} is more than the sentence index's {} lists",
                    options.subset.nprobe, lists));
  });
  return subset;
}

}  // namespace knnseq::stages
