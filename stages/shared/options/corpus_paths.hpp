// Paths of a corpus and of what is made of it.
#pragma once

#include <string>
#include <vector>

#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Folders of the run directory, each made by one stage.
struct Folders {
  explicit Folders(const std::filesystem::path& run_dir)
      : corpus(run_dir / "corpus"),
        datastore(run_dir / "datastore"),
        codebook(run_dir / "codebook"),
        index(run_dir / "index"),
        pruned(run_dir / "pruned"),
        decode(run_dir / "decode"),
        evaluate(run_dir / "evaluate"),
        sweep(run_dir / "sweep"),
        exported(run_dir / "export"),
        tune(run_dir / "tune"),
        tune_subsets(run_dir / "tune-subset"),
        learned(run_dir / "learned") {}
  std::filesystem::path corpus, datastore, codebook, index, pruned, decode, evaluate, sweep,
      exported, tune, tune_subsets, learned;
};

/// A step that was finished earlier: where it stands, what it is called, which command makes it.
struct StageRef {
  std::filesystem::path folder;
  std::string stage;
  std::string command;
};

/// One corpus of a run directory: that of `corpus:`, or an item of `append:`, whose folders lie in
/// append/<name>. The stages partition, encode, add and prune work on either.
struct CorpusPaths {
  std::string name;  ///< of the item of `append:`; empty: the first corpus
  CorpusOptions corpus;
  std::filesystem::path folder;     ///< the parent of the next three
  std::filesystem::path text;       ///< made by partition
  std::filesystem::path datastore;  ///< made by encode
  std::filesystem::path index;      ///< made by add
  std::filesystem::path pruned;     ///< the parent of what prune makes
  std::filesystem::path codebook;   ///< the first corpus's
  std::int64_t first_entry = 0;     ///< number of its first entry in the index
  double weight = 1;                ///< factor on its neighbours' shares
  bool merged = false;              ///< came from another run directory, as AppendOptions
  PruneOptions prune;               ///< if on, what prune makes is searched, not what add does

  bool appended() const { return !name.empty(); }
  /// The folder that partition, encode, train, add, prune, prune-log-probs or measure makes.
  std::filesystem::path made_by(const std::string& stage) const;
  /// What a stage is called here: "encode", or "append-news-encode".
  std::string stage_name(const std::string& stage) const;
  /// The command that runs it: "encode", or "append news".
  std::string command(const std::string& stage) const;
  /// All three of a stage (one that made_by() knows). The codebook's is train of
  /// the first corpus, whichever corpus this is.
  StageRef step(const std::string& stage) const;
};

/// The corpus that the codebook is trained on, in `run_dir`.
CorpusPaths first_corpus(const Options& options, const std::filesystem::path& run_dir);
inline CorpusPaths first_corpus(const Options& options) {
  return first_corpus(options, options.run_dir);
}

/// The items of `append:`, in their order. Their first_entry is known only when all corpora before
/// them are partitioned, and left 0.
std::vector<CorpusPaths> appended_corpora(const Options& options);

}  // namespace knnseq::stages
