#include "stages/remove/remove.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "obs/progress_meter.hpp"
#include "stages/remove/filter_corpus.hpp"
#include "stages/remove/removal_request.hpp"
#include "stages/shared/inputs/put_in_place.hpp"
#include "stages/shared/inputs/stage.hpp"

namespace knnseq::stages {

namespace {

namespace fs = std::filesystem;

/// Those of the names that an earlier command has not taken out: one that was killed at its very
/// end can be given again.
std::vector<std::string> names_left(runtime::StageContext& context,
                                    const std::vector<std::string>& names) {
  Removals earlier;
  comm::agree(context.comm, [&] { earlier = Removals::read(context.run_dir); });
  std::vector<std::string> left;
  for (const auto& name : names) {
    if (std::ranges::find(earlier.corpora, name) == earlier.corpora.end()) {
      left.push_back(name);
    } else {
      context.log.info("the corpus " + name + " is taken out already");
    }
  }
  return left;
}

/// Rank 0 reads it.
RemovalRequest find_request(runtime::StageContext& context, const Options& options,
                            const std::vector<std::string>& names,
                            const BuiltDatastore& datastore) {
  core::Json json;
  comm::on_root(context.comm, [&] {
    json = read_removal_request(datastore, names, options.remove.lines).to_json();
  });
  return RemovalRequest::from_json(core::Json::parse(context.comm.broadcast_string(json.dump())));
}

CorpusPaths in_next(const CorpusPaths& paths, const ReplacementFolders& folders) {
  CorpusPaths moved = paths;
  for (auto* path : {&moved.folder, &moved.text, &moved.datastore, &moved.index, &moved.pruned}) {
    *path = folders.next_of(*path);
  }
  return moved;
}

/// What becomes of each corpus that stays.
std::vector<FilteredCorpus> plan_corpora(runtime::StageContext& context,
                                         const BuiltDatastore& datastore,
                                         const RemovalRequest& request) {
  std::vector<FilteredCorpus> corpora;
  const ReplacementFolders folders(context.run_dir, removing);
  std::int64_t first_entry = 0;
  for (const auto& built : datastore.corpora) {
    const auto name = name_of(built);
    if (request.corpora.contains(name)) continue;
    FilteredCorpus corpus{built, in_next(built.paths, folders), {}, {}};
    if (const auto wanted = request.lines.find(name); wanted != request.lines.end()) {
      auto found = find_sentences(context.comm, built, wanted->second);
      for (const auto& sentence : found) corpus.lines.insert(sentence.line);
      corpus.renumbering = Renumbering(std::move(found));
    }
    corpus.next.first_entry = first_entry;
    first_entry += built.entries() - corpus.renumbering.entries();
    corpora.push_back(std::move(corpus));
  }
  return corpora;
}

void require_possible(const std::vector<FilteredCorpus>& corpora) {
  for (const auto& corpus : corpora) {
    if (corpus.lines.empty()) continue;
    const auto& built = corpus.built;
    if (corpus.renumbering.sentences() == built.corpus.sentences) {
      throw core::InputError(
          "remove",
          fmt::format("{} would have no pair left{}", name_of(built),
                      built.paths.appended() ? "; take it out as a whole, by its name" : ""));
    }
    require_keys(built.datastore, "remove --lines");
  }
}

/// What the work in remove/next is for.
core::Json identify(const BuiltDatastore& datastore, const RemovalRequest& request) {
  core::Json identities = core::Json::array();
  for (const auto& built : datastore.corpora) identities.push_back(built.index.codes.identity);
  return core::Json{identities, request.to_json()};
}

/// What is made from the corpora beside their index, and is so no more.
std::vector<std::string> folders_to_drop(const fs::path& run_dir,
                                         const std::vector<FilteredCorpus>& corpora,
                                         const RemovalRequest& request) {
  std::vector<std::string> dropped;
  const auto drop = [&](const fs::path& folder) {
    const auto more = stage_folders_in(run_dir, folder);
    dropped.insert(dropped.end(), more.begin(), more.end());
  };
  const bool first_changes = !corpora.front().lines.empty();
  for (const auto& name : request.corpora) drop(run_dir / "append" / name);
  for (const auto& corpus : corpora) {
    const auto& paths = corpus.built.paths;
    const bool moves = corpus.next.first_entry != paths.first_entry;
    if (first_changes || !corpus.lines.empty() || moves) {
      drop(paths.pruned);
      if (paths.appended()) drop(paths.folder / "subset");
    }
    const bool measured = paths.appended() && (first_changes || !corpus.lines.empty());
    if (measured) drop(paths.made_by("measure"));
  }
  if (first_changes) drop(run_dir / "subset");
  drop(Folders(run_dir).exported);
  return dropped;
}

/// The steps of one corpus that change, in remove/next; their folders' names.
std::vector<std::string> filter(runtime::StageContext& context, const FilteredCorpus& corpus) {
  const auto& paths = corpus.built.paths;
  std::vector<std::string> made;
  const auto note = [&](const fs::path& folder) {
    made.push_back(folder.lexically_relative(context.run_dir).string());
  };
  if (!corpus.lines.empty()) {
    filter_text(context, corpus);
    filter_datastore(context, corpus);
    note(paths.text);
    note(paths.datastore);
  }
  if (!corpus.lines.empty() || corpus.next.first_entry != paths.first_entry) {
    filter_index(context, corpus);
    note(paths.index);
  }
  return made;
}

/// Says what was done and what is to be made again.
void report_removal(runtime::StageContext& context, const std::vector<FilteredCorpus>& corpora,
                    const RemovalRequest& request, const std::vector<std::string>& dropped) {
  context.log.set_stage("remove");
  for (const auto& name : request.corpora) context.log.info("took out the corpus " + name);
  for (const auto& corpus : corpora) {
    const auto name = name_of(corpus.built);
    const auto wanted = request.lines.find(name);
    if (wanted == request.lines.end()) continue;
    const auto missing = std::ssize(wanted->second) - std::ssize(corpus.lines);
    context.log.info(fmt::format(
        "took {} pairs with {} entries out of {}{}", obs::with_commas(std::ssize(corpus.lines)),
        obs::with_commas(corpus.renumbering.entries()), name,
        missing == 0 ? "" : fmt::format(" ({} more are not in it)", obs::with_commas(missing))));
  }
  std::vector<std::string> lost;
  for (const auto& folder : dropped) {
    if (!folder.starts_with("append/") || folder.find("/pruned/") != folder.npos) {
      lost.push_back(folder);
    }
  }
  if (lost.empty()) return;
  context.log.info(
      fmt::format("removed what was made from all pairs: {}; run its stages again if you need it",
                  fmt::join(lost, ", ")));
}

}  // namespace

void remove(runtime::StageContext& context, const Options& options,
            const std::vector<std::string>& names) {
  context.log.set_stage("remove");
  const bool finished = finish_replacing(context, removing);
  if (names.empty() && options.remove.lines.empty()) {
    comm::agree(context.comm, [&] {
      if (finished) return;
      throw core::InputError("say what to take out: names of items of 'append', or --lines FILE");
    });
    return;
  }
  const auto left = names_left(context, names);
  if (left.empty() && options.remove.lines.empty()) return;
  corpus_manifest(context, options);
  const BuiltDatastore datastore =
      read_whole_datastore(context, first_corpus(options), appended_corpora(options));
  const RemovalRequest request = find_request(context, options, left, datastore);
  const auto corpora = plan_corpora(context, datastore, request);
  comm::agree(context.comm, [&] { require_possible(corpora); });
  const bool nothing =
      request.corpora.empty() &&
      std::ranges::all_of(corpora, [](const auto& corpus) { return corpus.lines.empty(); });
  if (nothing) {
    context.log.info("none of these pairs is there (any more): nothing was changed");
    return;
  }
  const ReplacementFolders folders(context.run_dir, removing);
  comm::on_root(context.comm, [&] { open_next(folders, identify(datastore, request)); });
  context.force = runtime::StageContext::Force::changed;  // of what lies in remove/next
  Replacement replacement;
  for (const auto& corpus : corpora) {
    const auto made = filter(context, corpus);
    replacement.replaced.insert(replacement.replaced.end(), made.begin(), made.end());
  }
  comm::on_root(context.comm, [&] {
    auto& removals = replacement.removals.emplace(Removals::read(context.run_dir));
    removals.corpora.insert(removals.corpora.end(), request.corpora.begin(), request.corpora.end());
    for (const auto& name : request.corpora) removals.pairs.erase(name);
    for (const auto& corpus : corpora) {
      if (!corpus.lines.empty()) {
        removals.pairs[name_of(corpus.built)] += std::ssize(corpus.lines);
      }
    }
    replacement.dropped = folders_to_drop(context.run_dir, corpora, request);
    make_ready(folders, replacement);
    put_in_place(folders);
  });
  report_removal(context, corpora, request, replacement.dropped);
}

}  // namespace knnseq::stages
