// The kNN search for a block of sentences: in the whole datastore, or in a subset for each
// sentence.
//
// How it is used. All ranks work in rounds; in each round a rank has one block of sentences, or
// none. It begins the round with the sentences that it is going to translate or to score,
//
//   search->begin(block);                          // collective
//
// and then asks for the neighbours of those sentences' hidden vectors, whichever way it came by
// them: step by step in beam search (KnnQueries says which sentence each row belongs to), or all at
// once in teacher forcing, where the rows of target i are as many as its tokens:
//
//   const auto found = search->search(keys, sentences);   // sentences[row]: place in the block
//   interpolator.interpolate(log_probs, found, options);
//
// search() is local for subsets. For plain kNN it is collective: then all ranks call it equally
// often, those without queries with none (collective() says so). k and all else were given when the
// search was made.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "core/types.hpp"
#include "retrieval/exchange/neighbours.hpp"

namespace knnseq::retrieval {

/// What a block's sentences can be looked for by; plain kNN reads none of it.
struct SentenceBlock {
  std::int64_t sentences = 0;
  at::Tensor means;                                ///< fp32 [sentences, d]: encoder's output
  std::vector<std::vector<core::TokenId>> pieces;  ///< [sentences]: sources' own tokens
  std::vector<std::string> texts;                  ///< [sentences]: the sources
};

class BlockSearch {
 public:
  virtual ~BlockSearch() = default;

  /// The sentences of this rank's queries from now on. Collective.
  virtual void begin(const SentenceBlock& block) = 0;

  /// Neighbours of queries [q, d] (fp32, fp16 or bf16), q may be 0, where the model computes;
  /// sentences [q]: the place in the
  /// block of the sentence that each belongs to. Collective where collective() says so.
  virtual Neighbours search(const at::Tensor& queries, std::span<const std::int64_t> sentences) = 0;

  virtual bool collective() const = 0;

  /// What to log when all is done: where the time went on this rank, in one line.
  virtual std::string summary() const = 0;
};

}  // namespace knnseq::retrieval
