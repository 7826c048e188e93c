#include "retrieval/exchange/merge_top_k.hpp"

#include <algorithm>
#include <vector>

#include "core/entry_id.hpp"
#include "core/error.hpp"

namespace knnseq::retrieval {

namespace {

/// How far a list has been merged.
struct Cursor {
  const NeighbourList* list;
  std::size_t next = 0;

  bool at_end() const { return next == list->ids.size() || list->ids[next] == index::missing_id; }
  bool before(const Cursor& other) const {
    const float mine = list->distances[next];
    const float its = other.list->distances[other.next];
    if (mine != its) return mine < its;
    return core::entry_number_of(list->ids[next]) <
           core::entry_number_of(other.list->ids[other.next]);
  }
};

}  // namespace

void merge_top_k(std::span<const NeighbourList> lists, std::span<float> distances,
                 std::span<std::int64_t> ids) {
  KNNSEQ_ASSERT(distances.size() == ids.size(), "sizes differ");
  std::vector<Cursor> cursors;
  for (const NeighbourList& list : lists) {
    if (Cursor cursor{&list}; !cursor.at_end()) cursors.push_back(cursor);
  }
  const auto later = [](const Cursor& a, const Cursor& b) { return b.before(a); };
  std::make_heap(cursors.begin(), cursors.end(), later);  // the nearest on top
  std::size_t filled = 0;
  for (; filled < ids.size() && !cursors.empty(); ++filled) {
    std::pop_heap(cursors.begin(), cursors.end(), later);
    Cursor& nearest = cursors.back();
    distances[filled] = nearest.list->distances[nearest.next];
    ids[filled] = nearest.list->ids[nearest.next];
    ++nearest.next;
    if (nearest.at_end()) {
      cursors.pop_back();
    } else {
      std::push_heap(cursors.begin(), cursors.end(), later);
    }
  }
  std::fill(distances.begin() + static_cast<std::ptrdiff_t>(filled), distances.end(),
            index::missing_distance);
  std::fill(ids.begin() + static_cast<std::ptrdiff_t>(filled), ids.end(), index::missing_id);
}

}  // namespace knnseq::retrieval
