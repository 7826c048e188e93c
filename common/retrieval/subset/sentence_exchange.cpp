#include "retrieval/subset/sentence_exchange.hpp"

#include <algorithm>
#include <cstddef>

#include "core/error.hpp"
#include "retrieval/subset/sentence_finder.hpp"

namespace knnseq::retrieval {

namespace {

constexpr std::int64_t piece_sentences = 8192;

struct Header {
  std::int64_t first_entry;
  std::int64_t entries;
};

/// A size, filled up so that a header may follow.
std::size_t padded(std::size_t bytes) {
  return (bytes + alignof(Header) - 1) / alignof(Header) * alignof(Header);
}

template <class T>
void append_values(std::vector<std::byte>& bytes, std::span<const T> values) {
  const auto raw = std::as_bytes(values);
  bytes.insert(bytes.end(), raw.begin(), raw.end());
}

/// What a rank answers: of each sentence a header, its values and its codes.
std::vector<std::byte> answer(const LocalSentenceStore& held,
                              std::span<const std::int64_t> numbers) {
  std::vector<std::byte> bytes;
  for (const auto number : numbers) {
    const HeldSentence sentence = held.find(number);
    const Header header{sentence.first_entry, std::ssize(sentence.values)};
    append_values(bytes, std::span(&header, 1));
    append_values(bytes, sentence.values);
    append_values(bytes, sentence.codes);
    bytes.resize(padded(bytes.size()));
  }
  return bytes;
}

/// Reads an answer, sentence by sentence. They refer to its bytes.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

  HeldSentence take(std::int64_t number, std::int64_t m) {
    const Header header = take<Header>(1).front();
    const auto entries = static_cast<std::size_t>(header.entries);
    const auto values = take<std::uint32_t>(entries);
    const auto codes = take<std::uint8_t>(entries * static_cast<std::size_t>(m));
    const std::size_t size = values.size_bytes() + codes.size_bytes();
    take<std::byte>(padded(size) - size);
    return {number, header.first_entry, values, codes};
  }

 private:
  template <class T>
  std::span<const T> take(std::size_t count) {
    const std::size_t size = count * sizeof(T);
    KNNSEQ_ASSERT(rest_.size() >= size, "message of sentences is too short");
    const std::span<const T> values(reinterpret_cast<const T*>(rest_.data()), count);
    rest_ = rest_.subspan(size);
    return values;
  }

  std::span<const std::byte> rest_;
};

/// One exchange: the sentences with these ids.
void fetch_piece(comm::Communicator& comm, const LocalSentenceStore& held,
                 const ShardHolders& holders, std::span<const std::int64_t> piece,
                 FetchedSentences& fetched) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<std::vector<std::int64_t>> asked(ranks);
  for (const auto id : piece) {
    const auto holder = holders.rank_of(shard_of(id), number_of(id));
    asked[holder].push_back(number_of(id));
  }
  std::vector<std::int64_t> numbers, counts;
  for (const auto& of_rank : asked) {
    numbers.insert(numbers.end(), of_rank.begin(), of_rank.end());
    counts.push_back(std::ssize(of_rank));
  }
  const auto requests = comm.all_to_all(std::span<const std::int64_t>(numbers), counts);
  std::vector<std::byte> answers;
  std::vector<std::int64_t> sizes;
  for (int rank = 0; rank < comm.size(); ++rank) {
    const auto bytes = answer(held, requests.of(rank));
    sizes.push_back(std::ssize(bytes));
    answers.insert(answers.end(), bytes.begin(), bytes.end());
  }
  fetched.received.push_back(comm.all_to_all_bytes(answers, sizes));
  std::vector<Reader> readers;
  readers.reserve(ranks);
  for (int rank = 0; rank < comm.size(); ++rank) {
    readers.emplace_back(fetched.received.back().of(rank));
  }
  for (const auto id : piece) {
    const auto holder = holders.rank_of(shard_of(id), number_of(id));
    fetched.sentences.push_back(readers[holder].take(number_of(id), held.m()));
  }
}

}  // namespace

FetchedSentences fetch_sentences(comm::Communicator& comm, const LocalSentenceStore& held,
                                 const ShardHolders& holders,
                                 std::span<const std::int64_t> wanted) {
  FetchedSentences fetched;
  if (comm.size() == 1) {
    for (const auto id : wanted) fetched.sentences.push_back(held.find(number_of(id)));
    return fetched;
  }
  // Each sentence once.
  std::vector<std::int64_t> ids(wanted.begin(), wanted.end());
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const auto most = comm.all_reduce(std::ssize(ids), comm::Reduction::max);
  for (std::int64_t begin = 0; begin < most; begin += piece_sentences) {
    const auto first = static_cast<std::size_t>(std::min(begin, std::ssize(ids)));
    const auto end = static_cast<std::size_t>(std::min(begin + piece_sentences, std::ssize(ids)));
    fetch_piece(comm, held, holders, std::span(ids).subspan(first, end - first), fetched);
  }
  const auto once = std::move(fetched.sentences);
  fetched.sentences.clear();
  for (const auto id : wanted) {
    fetched.sentences.push_back(once[std::ranges::lower_bound(ids, id) - ids.begin()]);
  }
  return fetched;
}

}  // namespace knnseq::retrieval
