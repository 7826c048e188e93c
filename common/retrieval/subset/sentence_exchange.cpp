#include "retrieval/subset/sentence_exchange.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "retrieval/subset/sentence_finder.hpp"

namespace knnseq::retrieval {

namespace {

constexpr std::int64_t piece_sentences = 8192;

struct Header {
  std::int64_t first_entry;
  std::int64_t entries;
};

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
  }
  return bytes;
}

/// Reads an answer piece by piece.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <class T>
  void take(std::span<T> values) {
    const auto size = values.size_bytes();
    KNNSEQ_ASSERT(rest_.size() >= size, "message of sentences is too short");
    if (size > 0) std::memcpy(values.data(), rest_.data(), size);
    rest_ = rest_.subspan(size);
  }

 private:
  std::span<const std::byte> rest_;
};

/// Appends a sentence's ids; its codes are the caller's matter.
void add_ids(std::int64_t first_entry, std::span<const std::uint32_t> values,
             FetchedSentences& fetched) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    fetched.ids.push_back(core::pack_entry_id(static_cast<core::TokenId>(values[i]),
                                              first_entry + static_cast<std::int64_t>(i)));
  }
  fetched.starts.push_back(std::ssize(fetched.ids));
}

void take_sentence(Reader& reader, std::int64_t m, FetchedSentences& fetched) {
  Header header{};
  reader.take(std::span(&header, 1));
  std::vector<std::uint32_t> values(header.entries);
  reader.take(std::span(values));
  add_ids(header.first_entry, values, fetched);
  const std::size_t codes = fetched.received.size();
  fetched.received.resize(codes + values.size() * static_cast<std::size_t>(m));
  reader.take(std::span(fetched.received).subspan(codes));
}

/// One exchange; the sentences are appended in their order.
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
  const auto received = comm.all_to_all_bytes(answers, sizes);
  std::vector<Reader> readers;
  readers.reserve(comm.size());
  for (int rank = 0; rank < comm.size(); ++rank) readers.emplace_back(received.of(rank));
  for (const auto id : piece) {
    const auto holder = holders.rank_of(shard_of(id), number_of(id));
    take_sentence(readers[holder], held.m(), fetched);
  }
}

/// Where each sentence's codes have come to lie.
void find_received(std::int64_t m, FetchedSentences& fetched) {
  const std::span<const std::uint8_t> received = fetched.received;
  for (std::size_t place = 0; place < fetched.sentences.size(); ++place) {
    const auto begin = static_cast<std::size_t>(fetched.starts[place] * m);
    const auto end = static_cast<std::size_t>(fetched.starts[place + 1] * m);
    fetched.codes.push_back(received.subspan(begin, end - begin));
  }
}

}  // namespace

std::size_t FetchedSentences::place_of(std::int64_t sentence_id) const {
  const auto found = std::lower_bound(sentences.begin(), sentences.end(), sentence_id);
  KNNSEQ_ASSERT(found != sentences.end() && *found == sentence_id, "a sentence that is not here");
  return static_cast<std::size_t>(found - sentences.begin());
}

std::span<const std::int64_t> FetchedSentences::ids_of(std::size_t place) const {
  const auto begin = static_cast<std::size_t>(starts[place]);
  return std::span(ids).subspan(begin, static_cast<std::size_t>(starts[place + 1]) - begin);
}

FetchedSentences fetch_sentences(comm::Communicator& comm, const LocalSentenceStore& held,
                                 const ShardHolders& holders,
                                 std::span<const std::int64_t> wanted) {
  FetchedSentences fetched;
  auto& ids = fetched.sentences;
  ids.assign(wanted.begin(), wanted.end());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (comm.size() == 1) {
    for (const auto id : ids) {
      const HeldSentence sentence = held.find(number_of(id));
      add_ids(sentence.first_entry, sentence.values, fetched);
      fetched.codes.push_back(sentence.codes);
    }
    return fetched;
  }
  const auto most = comm.all_reduce(std::ssize(ids), comm::Reduction::max);
  for (std::int64_t begin = 0; begin < most; begin += piece_sentences) {
    const auto first = static_cast<std::size_t>(std::min(begin, std::ssize(ids)));
    const auto end = static_cast<std::size_t>(std::min(begin + piece_sentences, std::ssize(ids)));
    fetch_piece(comm, held, holders, std::span(ids).subspan(first, end - first), fetched);
  }
  find_received(held.m(), fetched);
  return fetched;
}

}  // namespace knnseq::retrieval
