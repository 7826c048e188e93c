#include "stages/remove/removal_request.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/nearest_name.hpp"
#include "stages/shared/inputs/removals.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

const BuiltCorpus& corpus_named(const BuiltDatastore& datastore, const std::string& name,
                                const std::string& place) {
  std::vector<std::string> names;
  for (const auto& built : datastore.corpora) {
    if (name_of(built) == name) return built;
    names.push_back(name_of(built));
  }
  throw core::InputError(place, fmt::format("there is no corpus '{}'; did you mean '{}'?", name,
                                            core::nearest_name(name, names)));
}

/// A line of the file.
void read_line(const BuiltDatastore& datastore, const std::string& line, const std::string& place,
               RemovalRequest& request) {
  const auto tab = line.find('\t');
  if (tab == line.npos) {
    throw core::InputError(place, "is not 'corpus<TAB>line'");
  }
  const auto name = line.substr(0, tab);
  const auto& built = corpus_named(datastore, name, place);
  std::int64_t number = 0;
  const char* begin = line.data() + tab + 1;
  const char* end = line.data() + line.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (error != std::errc() || stop != end || number < 1 || number > built.corpus.lines) {
    throw core::InputError(place,
                           fmt::format("'{}' is not the number of a line of {}, from 1 to {}",
                                       std::string(begin, end), name, built.corpus.lines));
  }
  request.lines[name].insert(number - 1);
}

}  // namespace

core::Json RemovalRequest::to_json() const {
  return {{"corpora", corpora}, {"lines", core::Json(lines)}};
}

RemovalRequest RemovalRequest::from_json(const core::Json& json) {
  RemovalRequest request;
  json.at("corpora").get_to(request.corpora);
  json.at("lines").get_to(request.lines);
  return request;
}

RemovalRequest read_removal_request(const BuiltDatastore& datastore,
                                    const std::vector<std::string>& names,
                                    const std::filesystem::path& file) {
  RemovalRequest request;
  for (const auto& name : names) {
    if (!corpus_named(datastore, name, "remove").paths.appended()) {
      throw core::InputError(
          "remove", fmt::format("'{}' is the corpus that the codebook was trained on: only single "
                                "pairs of it can be taken out (--lines)",
                                name));
    }
    request.corpora.insert(name);
  }
  if (file.empty()) return request;
  std::int64_t number = 0;
  for (const auto& line : text::read_lines(file)) {
    const auto place = fmt::format("{}:{}", file.string(), ++number);
    if (!line.empty()) read_line(datastore, line, place, request);
  }
  std::erase_if(request.lines,
                [&](const auto& item) { return request.corpora.contains(item.first); });
  return request;
}

}  // namespace knnseq::stages
