// Search in a rank's entries with queries and results on a device.
#pragma once

#include "index/search/list_index_torch.hpp"
#include "index/search/local_index.hpp"
#include "retrieval/exchange/query_message.hpp"

namespace knnseq::retrieval {

/// Whether its lists lie on a device, so that queries need not leave it.
bool is_on_device(const index::LocalIndex& index);

/// The k best entries of each query, on the queries' device. An index whose entries are in the
/// host's memory is searched there: queries and results are copied.
index::DeviceTopK search_tensors(const index::LocalIndex& index, const PreparedQueries& queries,
                                 std::int64_t k);

}  // namespace knnseq::retrieval
