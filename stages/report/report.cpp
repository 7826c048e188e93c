#include "stages/report/report.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/input_file.hpp"
#include "index/faiss_io/list_sizes.hpp"
#include "obs/progress_meter.hpp"
#include "obs/svg.hpp"
#include "obs/terminal.hpp"
#include "runtime/stage_record.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/report/html.hpp"
#include "stages/report/pictures.hpp"
#include "stages/report/run_facts.hpp"
#include "stages/shared/options/corpus_paths.hpp"
#include "store/manifest.hpp"

namespace knnseq::stages {

namespace {

namespace fs = std::filesystem;
using Json = core::Json;

std::optional<store::Manifest> manifest_in(const fs::path& folder) {
  return store::read_manifest(folder / "manifest.json");
}

/// A finished step's file, its bytes compared with its manifest.
std::string finished_file(const fs::path& folder, const char* name, const std::string& command) {
  const auto manifest = manifest_in(folder);
  if (!manifest) return "";
  return core::read_file(runtime::require_file(folder, *manifest, name, command));
}

std::string plain_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::int64_t bytes_of_files(const store::Manifest& manifest) {
  std::int64_t bytes = 0;
  for (const auto& [_, file] : manifest.content_fields().at("files").members()) {
    bytes += file.at("bytes").number(0, std::numeric_limits<std::int64_t>::max());
  }
  return bytes;
}

/// A corpus of the run directory: the first one, or an appended one.
struct CorpusFolders {
  std::string name;
  fs::path corpus, datastore, index, measure;
};

std::vector<CorpusFolders> corpora_in(const fs::path& run_dir) {
  std::vector<CorpusFolders> corpora = {
      {"corpus", run_dir / "corpus", run_dir / "datastore", run_dir / "index", {}}};
  const auto appended = run_dir / "append";
  if (!fs::is_directory(appended)) return corpora;
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(appended)) folders.push_back(entry.path());
  std::ranges::sort(folders);
  for (const auto& folder : folders) {
    corpora.push_back({"append " + folder.filename().string(), folder / "corpus",
                       folder / "datastore", folder / "index", folder / "measure"});
  }
  return corpora;
}

/// Entries of each list of an index, over all its shards; empty if it has no lists. Collective.
std::vector<std::int64_t> read_list_sizes(comm::Communicator& comm, const fs::path& folder) {
  std::vector<std::int64_t> sizes;
  comm::agree(comm, [&] {
    if (!manifest_in(folder)) return;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".faiss") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (static_cast<int>(i) % comm.size() != comm.rank()) continue;
      const auto of_shard = index::list_sizes(files[i]);
      sizes.resize(std::max(sizes.size(), of_shard.size()));
      for (std::size_t list = 0; list < of_shard.size(); ++list) sizes[list] += of_shard[list];
    }
  });
  sizes.resize(static_cast<std::size_t>(comm.all_reduce(std::ssize(sizes), comm::Reduction::max)));
  if (!sizes.empty()) comm.all_reduce(std::span(sizes), comm::Reduction::sum);
  return sizes;
}

std::string texts_section(const std::vector<CorpusFolders>& corpora) {
  std::vector<HtmlCells> lines = {
      {"corpus", "pairs", "target tokens", "unknown tokens", "dropped", "why"}};
  std::string examples;
  for (const auto& [name, folder, datastore, index, measure] : corpora) {
    const auto manifest = manifest_in(folder);
    if (!manifest) continue;
    const auto& content = manifest->content;
    std::int64_t dropped = 0;
    std::string why;
    for (const auto& [reason, count] : content.at("dropped").items()) {
      dropped += count.get<std::int64_t>();
      why += fmt::format("{}{}: {}", why.empty() ? "" : "; ", reason,
                         obs::with_commas(count.get<std::int64_t>()));
    }
    lines.push_back({name, obs::with_commas(content.at("sentences").get<std::int64_t>()),
                     obs::with_commas(content.at("entries").get<std::int64_t>()),
                     content.contains("unknown_tokens")
                         ? obs::with_commas(content["unknown_tokens"].get<std::int64_t>())
                         : "",
                     obs::with_commas(dropped), why});
    if (dropped == 0) continue;
    constexpr int most_examples = 20;
    std::ifstream list(folder / "dropped.tsv");
    std::string first;
    std::string line;
    for (int i = 0; i < most_examples && std::getline(list, line); ++i) {
      first += obs::printable(line.substr(0, 300)) + "\n";
    }
    examples += html_details(fmt::format("The first lines that were dropped of {}", name),
                             html_preformatted(first));
  }
  if (lines.size() == 1) return "";
  return html_section("text", "Text, and what was dropped", html_table(lines, 1, 5) + examples);
}

std::string index_section(const std::vector<CorpusFolders>& corpora, const fs::path& run_dir,
                          const std::vector<std::int64_t>& sizes, const LogFacts& log) {
  const auto codebook = manifest_in(run_dir / "codebook");
  if (!codebook) return "";
  std::string html = html_paragraph(
      fmt::format("{}, trained on {} vectors", plain_text(codebook->content.at("factory")),
                  obs::with_commas(codebook->content.value("sample", std::int64_t{0}))));
  std::vector<HtmlCells> lines = {{"corpus", "entries", "keys", "index", "bytes an entry",
                                   "quantisation error", "of the training sample"}};
  for (const auto& corpus : corpora) {
    const auto index = manifest_in(corpus.index);
    if (!index) continue;
    const auto entries = index->content.at("entries").get<std::int64_t>();
    const auto datastore = manifest_in(corpus.datastore);
    const auto fit = corpus.measure.empty() ? std::nullopt : manifest_in(corpus.measure);
    const auto error = [&](const char* name) {
      return fit ? fmt::format("{:.4g}", fit->content.at(name).get<double>()) : std::string();
    };
    lines.push_back(
        {corpus.name, obs::with_commas(entries),
         datastore ? obs::as_bytes(bytes_of_files(*datastore)) : "",
         obs::as_bytes(bytes_of_files(*index)),
         fmt::format("{:.1f}", static_cast<double>(bytes_of_files(*index)) /
                                   static_cast<double>(std::max<std::int64_t>(entries, 1))),
         error("quantisation_error"), error("training_error")});
  }
  if (lines.size() > 1) html += html_table(lines, 1, 7);
  if (!sizes.empty()) {
    auto sorted = sizes;
    std::ranges::sort(sorted);
    double squares = 0, sum = 0;
    for (const auto size : sizes) {
      sum += static_cast<double>(size);
      squares += static_cast<double>(size) * static_cast<double>(size);
    }
    const double imbalance =
        sum > 0 ? static_cast<double>(sizes.size()) * squares / (sum * sum) : 1;
    html += "<h3>Sizes of lists</h3>\n" + html_picture(list_sizes_picture(sizes)) +
            html_paragraph(
                fmt::format(
                    "{} lists: {} to {} entries, median {}, {} empty. A search reads {:.2f} "
                    "times as many entries as with lists of equal size.",
                    obs::with_commas(std::ssize(sizes)), obs::with_commas(sorted.front()),
                    obs::with_commas(sorted.back()), obs::with_commas(sorted[sorted.size() / 2]),
                    obs::with_commas(std::ranges::count(sizes, 0)), imbalance),
                "soft");
  }
  if (const auto trained = log.errors.find("train"); trained != log.errors.end()) {
    auto errors = trained->second;
    const auto coarse = errors.extract("coarse");  // which is what the quantiser is there for
    if (!errors.empty()) {
      html += "<h3>Quantisation error of the training sample, mean squared</h3>\n" +
              html_picture(errors_picture(errors));
    }
    if (!coarse.empty()) {
      html += html_paragraph(fmt::format("Mean squared distance from the list's centroid: {:.4g}.",
                                         coarse.mapped().back()),
                             "soft");
    }
  }
  return html_section("index", "Datastore and index", html);
}

/// "bleu" as people write it.
std::string metric_name(const std::string& key) {
  for (const auto& [name, written] :
       {std::pair{"bleu", "BLEU"}, {"chrf", "chrF"}, {"chrf++", "chrF++"}, {"ter", "TER"}}) {
    if (key == name) return written;
  }
  return key;
}

std::string scores_section(const fs::path& run_dir) {
  const auto text = finished_file(run_dir / "evaluate", "scores.json", "evaluate");
  if (text.empty()) return "";
  const Json json = Json::parse(text);
  std::vector<std::string> metrics;
  for (const auto& system : json.at("scores")) {
    for (const auto& [name, value] : system.items()) {
      if (value.is_object() && value.contains("score") && !std::ranges::count(metrics, name)) {
        metrics.push_back(name);
      }
    }
  }
  HtmlCells header = {"decoding", "settings"};
  for (const auto& metric : metrics) header.insert(header.end(), {metric_name(metric), "p"});
  header.emplace_back("tokens/s");
  std::vector<HtmlCells> lines = {header};
  std::map<std::string, std::vector<ScoredSystem>> systems;
  for (const auto& system : json.at("scores")) {
    HtmlCells cells = {plain_text(system.at("name")),
                       plain_text(system.value("settings", Json("")))};
    for (const auto& metric : metrics) {
      const auto& scored = system.value(metric, Json::object());
      if (!scored.contains("score")) {
        cells.insert(cells.end(), 2, "");
        continue;
      }
      const double score = scored["score"], interval = scored.value("ci", 0.0);
      cells.push_back(fmt::format("{:.2f} ± {:.2f}", score, interval));
      cells.push_back(scored.contains("p_value") && scored["p_value"].is_number()
                          ? fmt::format("{:.4f}", scored["p_value"].get<double>())
                          : "");
      systems[metric].push_back({cells.front(), score, interval});
    }
    const auto rate = system.value("tokens_per_second", Json());
    cells.push_back(rate.is_number() ? obs::with_commas(std::llround(rate.get<double>())) : "");
    lines.push_back(std::move(cells));
  }
  std::string html;
  for (const auto& metric : metrics) {
    html += html_picture(scores_picture(metric_name(metric), systems[metric]));
  }
  html += html_table(lines, 2);
  for (const auto& [name, value] : json.items()) {
    if (name.ends_with("_signature")) html += html_paragraph(plain_text(value), "soft");
  }
  return html_section("scores", "Scores, with 95 % intervals", html);
}

/// "2026-11-29 11:26:06", or nothing for a record that does not say when it was.
std::string shown_time(double seconds) {
  if (seconds <= 0) return "";
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

/// Which rank took longest, as far as its stage tells ranks apart.
std::string slowest(const Json& record) {
  const auto& details = record.value("details", Json::object());
  const auto& said = details.contains("slowest_rank") ? details : record;
  if (!said.contains("slowest_rank")) return "";
  const double most = said["slowest_seconds"], mean = said["mean_seconds"];
  if (most <= 1.01 * mean) return "";
  return fmt::format("{}: {:.1f} s, {:.1f} s on average", said["slowest_rank"].get<std::int64_t>(),
                     most, mean);
}

std::string time_section(const std::vector<RecordedStep>& steps) {
  if (steps.empty()) return "";
  std::vector<TimeRow> rows;
  std::vector<HtmlCells> lines = {{"step", "began (UTC)", "took", "ranks × threads", "items", "",
                                   "items/s", "written", "peak memory a rank", "slowest rank"}};
  std::vector<HtmlCells> parts = lines;  // of tune, which are many
  for (const auto& step : steps) {
    const auto& record = step.record;
    const bool is_part = step.name.starts_with("tune-");
    const auto rate = runtime::recorded_rate(record);
    const auto threads = record.value("threads", Json());
    (is_part ? parts : lines)
        .push_back({step.name, shown_time(step.began),
                    obs::as_duration(record.at("seconds_max").get<double>()),
                    fmt::format("{} × {}", record.at("ranks").get<std::int64_t>(),
                                threads.is_number() ? threads.dump() : "?"),
                    obs::with_commas(record.at("items").get<std::int64_t>()),
                    plain_text(record.at("unit")),
                    rate ? obs::with_commas(std::llround(*rate)) : "",
                    obs::as_bytes(record.at("bytes").get<std::int64_t>()),
                    obs::as_bytes(record.at("peak_memory_max_bytes").get<std::int64_t>()),
                    slowest(record)});
    const std::string row = is_part ? "tune" : step.name;
    auto found = std::ranges::find(rows, row, &TimeRow::name);
    if (found == rows.end()) found = rows.insert(rows.end(), {row, {}});
    found->spans.emplace_back(step.began, step.ended);
  }
  std::string html = html_picture(time_line(rows)) +
                     html_paragraph(
                         "Dotted: nothing worked for a while. Rates are those of the "
                         "work itself, without the opening of files.",
                         "soft");
  html += html_table(lines, 2, 9);
  if (parts.size() > 1) {
    html += html_details(fmt::format("The {} steps of tune", parts.size() - 1),
                         html_table(parts, 2, 9));
  }
  return html_section("time", "Time", html);
}

std::string sweep_section(const fs::path& run_dir) {
  const auto text = finished_file(run_dir / "sweep", "sweep.json", "sweep");
  if (text.empty()) return "";
  const Json json = Json::parse(text);
  HtmlCells header = {"index", "entries", "setting"};
  for (const auto& k : json.at("k")) header.push_back("recall@" + k.dump());
  header.insert(header.end(), {"µs a query", "bytes an entry", "seconds to build"});
  std::vector<HtmlCells> lines = {header};
  for (const auto& row : json.at("rows")) {
    for (const auto& point : row.at("points")) {
      HtmlCells cells = {plain_text(row.at("index")),
                         obs::with_commas(row.at("entries").get<std::int64_t>()),
                         plain_text(point.at("setting"))};
      for (const auto& recall : point.at("recalls")) {
        cells.push_back(fmt::format("{:.4f}", recall.get<double>()));
      }
      cells.push_back(fmt::format("{:.1f}", point.at("microseconds_per_query").get<double>()));
      cells.push_back(fmt::format("{:.1f}", row.at("bytes_per_entry").get<double>()));
      cells.push_back(fmt::format(
          "{:.1f}", row.at("train_seconds").get<double>() + row.at("add_seconds").get<double>()));
      lines.push_back(std::move(cells));
    }
  }
  return html_section(
      "recall", "Recall, as sweep measured it",
      html_picture(finished_file(run_dir / "sweep", "sweep.svg", "sweep")) + html_table(lines, 3));
}

std::string tune_section(const fs::path& run_dir) {
  std::string html;
  for (const auto* name : {"tune", "tune-subset"}) {
    const auto text = finished_file(run_dir / name, "tune.json", "tune");
    if (text.empty()) continue;
    const Json json = Json::parse(text);
    const auto described = [&](const char* which) {
      const auto& one = json.at(which);
      std::string line =
          fmt::format("{}: {}; BLEU {:.2f}, chrF {:.2f}", which, plain_text(one.at("name")),
                      one.at("bleu").get<double>(), one.at("chrf").get<double>());
      if (one.contains("general")) {
        line += fmt::format("; on general text BLEU {:.2f}, chrF {:.2f}",
                            one["general"].at("bleu").get<double>(),
                            one["general"].at("chrf").get<double>());
      }
      return line;
    };
    html += fmt::format("<h3>{}</h3>\n", name) +
            html_picture(finished_file(run_dir / name, "tune.svg", "tune")) +
            html_paragraph(described("chosen")) +
            (json.contains("recommended") ? html_paragraph(described("recommended")) : "");
  }
  return html.empty() ? "" : html_section("tune", "Settings that tune compared", html);
}

std::string warnings_section(const LogFacts& log) {
  if (log.warnings.empty()) return "";
  std::vector<HtmlCells> lines = {{"stage", "warning", "times"}};
  for (const auto& [stage, message, times] : log.warnings) {
    lines.push_back({stage, message, std::to_string(times)});
  }
  return html_section("warnings", "Warnings", html_table(lines, 2));
}

std::string origin_section(const fs::path& run_dir, const std::vector<RecordedStep>& steps) {
  std::vector<HtmlCells> lines = {{"step", "command", "program", "hosts", "manifest"}};
  for (const auto& step : steps) {
    const auto& record = step.record;
    const auto program = record.value("program", Json::object());
    std::string hosts;
    for (const auto& host : record.value("hosts", Json::array())) {
      hosts += fmt::format(
          "{}{} ({} ranks, {}{})", hosts.empty() ? "" : "; ",
          plain_text(host.value("name", Json(""))), host.value("ranks", std::int64_t{0}),
          plain_text(host.value("processor", Json(""))),
          host.contains("gpu") && host["gpu"].is_string() ? ", " + host["gpu"].get<std::string>()
                                                          : "");
    }
    lines.push_back({step.name, plain_text(record.value("command", Json(""))),
                     program.empty()
                         ? ""
                         : fmt::format("{}, {}", plain_text(program.value("version", Json(""))),
                                       plain_text(program.value("commit", Json("")))),
                     hosts, plain_text(record.value("manifest", Json("")))});
  }
  std::string html;
  if (lines.size() > 1) {
    html += html_details(
        fmt::format("Commands, versions, hosts and fingerprints of {} steps", steps.size()),
        html_table(lines, 9));
  }
  if (const auto config = run_dir / "config.yaml"; fs::is_regular_file(config)) {
    html += html_details("The config of the last step, with defaults",
                         html_preformatted(core::read_file(config)));
  }
  std::string inputs;
  for (const auto* folder : {"corpus", "datastore", "codebook", "index"}) {
    if (const auto manifest = manifest_in(run_dir / folder)) {
      inputs += fmt::format("{} {}\n{}\n\n", folder, manifest->identity, manifest->inputs.dump(2));
    }
  }
  if (!inputs.empty()) {
    html += html_details("Inputs of the datastore by fingerprints", html_preformatted(inputs));
  }
  return html.empty() ? "" : html_section("origin", "How it was made", html);
}

std::string head(const fs::path& run_dir, const std::vector<CorpusFolders>& corpora) {
  std::int64_t sentences = 0, entries = 0, index_bytes = 0;
  for (const auto& corpus : corpora) {
    if (const auto manifest = manifest_in(corpus.corpus)) {
      sentences += manifest->content.at("sentences").get<std::int64_t>();
      entries += manifest->content.at("entries").get<std::int64_t>();
    }
    if (const auto manifest = manifest_in(corpus.index)) index_bytes += bytes_of_files(*manifest);
  }
  std::vector<std::pair<std::string, std::string>> figures = {
      {obs::with_commas(sentences), "sentence pairs"}, {obs::with_commas(entries), "entries"}};
  if (index_bytes > 0) figures.emplace_back(obs::as_bytes(index_bytes), "index");
  if (const auto text = finished_file(run_dir / "evaluate", "scores.json", "evaluate");
      !text.empty()) {
    const Json json = Json::parse(text);
    const auto bleu = [](const Json& system) {
      return system.contains("bleu") ? system["bleu"].at("score").get<double>() : -1.0;
    };
    const Json* best = nullptr;
    for (const auto& system : json.at("scores")) {
      if (best == nullptr || bleu(system) > bleu(*best)) best = &system;
    }
    if (best != nullptr && bleu(*best) >= 0) {
      figures.emplace_back(fmt::format("{:.2f}", bleu(*best)),
                           "BLEU of " + plain_text(best->at("name")));
    }
  }
  return html_figures(figures);
}

/// Links to the sections that are there.
std::string navigation(const std::string& html) {
  std::string links;
  for (const auto& [id, name] : {std::pair{"scores", "Scores"},
                                 {"time", "Time"},
                                 {"text", "Text"},
                                 {"index", "Index"},
                                 {"recall", "Recall"},
                                 {"tune", "Settings"},
                                 {"warnings", "Warnings"},
                                 {"origin", "How it was made"}}) {
    if (html.find(fmt::format("<section id=\"{}\">", id)) == html.npos) continue;
    links += fmt::format("<a href=\"#{}\">{}</a>\n", id, name);
  }
  return fmt::format("<nav aria-label=\"Sections\">\n{}</nav>\n", links);
}

}  // namespace

void report(runtime::StageContext& context) {
  context.log.set_stage("report");
  const auto& run_dir = context.run_dir;
  const auto sizes = read_list_sizes(context.comm, run_dir / "index");
  comm::on_root(context.comm, [&] {
    const auto log = read_log(run_dir);
    const auto steps = read_steps(run_dir, log);
    const auto corpora = corpora_in(run_dir);
    const auto sections = scores_section(run_dir) + time_section(steps) + texts_section(corpora) +
                          index_section(corpora, run_dir, sizes, log) + sweep_section(run_dir) +
                          tune_section(run_dir) + warnings_section(log) +
                          origin_section(run_dir, steps);
    const auto name = run_dir.lexically_normal().filename().string();
    const auto title = fmt::format("knnseq: {}", name.empty() ? run_dir.string() : name);
    const auto file = run_dir / "report.html";
    core::write_file_durably(
        file,
        html_page(title, fmt::format(
                             "<header>\n<h1>{}</h1>\n{}{}</header>\n<main>\n{}</main>\n",
                             obs::xml_escaped(name),
                             html_paragraph(fmt::format("Written {}", runtime::utc_time()), "soft"),
                             navigation(sections), head(run_dir, corpora) + sections)));
    context.log.info("wrote " + obs::printable(file.string()));
  });
}

}  // namespace knnseq::stages
