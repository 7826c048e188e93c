#include "stages/serve/serve.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/parse_json.hpp"
#include "http/http_server.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/serve/offers.hpp"
#include "stages/serve/request_queue.hpp"
#include "stages/shared/page/page.hpp"
#include "stages/shared/page/page_files.hpp"
#include "stages/shared/search/decoding_settings.hpp"
#include "stages/shared/translation/chosen_decoding.hpp"
#include "stages/shared/translation/json_request.hpp"

namespace knnseq::stages {

namespace {

http::Answer refusal(int status, const std::string& message) {
  return {status, core::Json{{"error", {{"message", message}}}}.dump()};
}

/// POST /v1/translate: an object, or a list of objects, in one batch.
class TranslateHandler {
 public:
  TranslateHandler(const ServeOptions& options, RequestQueue& queue)
      : options_(options), queue_(queue) {}

  http::Answer operator()(const std::string& body) const {
    const core::Json json = core::parse_json(body, "request");
    std::vector<JsonRequest> requests;
    if (json.is_array()) {
      for (const auto& item : json) {
        requests.push_back(read_request(item.dump()));
        refuse_lesson(requests.back());
      }
    } else {
      requests.push_back(read_request(json.dump()));
      refuse_lesson(requests.front());
      if (!requests.front().error.empty()) return {400, answer_of(requests.front(), {}).dump()};
    }
    std::vector<TranslationRequest> readable;
    for (const auto& request : requests) {
      if (request.error.empty()) readable.push_back(request.request);
    }
    if (std::cmp_greater(readable.size(), queue_.most())) {
      return refusal(413, fmt::format("more than {} sentences in one request (serve.queue in the "
                                      "config)",
                                      queue_.most()));
    }
    auto answers = queue_.put(std::move(readable));
    if (!answers) {
      return refusal(503, "too many sentences wait to be translated; try again later");
    }
    const auto deadline = std::chrono::steady_clock::now() +
                          std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                              std::chrono::duration<double>(options_.answer_seconds));
    core::Json made = core::Json::array();
    auto next = answers->begin();
    for (const auto& request : requests) {
      TranslationAnswer answer;
      if (request.error.empty()) {
        if (next->wait_until(deadline) != std::future_status::ready) {
          return refusal(504, fmt::format("not translated within {:g} s (serve.answer_seconds in "
                                          "the config)",
                                          options_.answer_seconds));
        }
        answer = (next++)->get();
      }
      made.push_back(answer_of(request, answer));
    }
    if (json.is_array()) return {200, made.dump()};
    return {made.front().contains("error") ? 400 : 200, made.front().dump()};
  }

 private:
  void refuse_lesson(JsonRequest& request) const {
    if (!request.request.lesson || options_.learn) return;
    request.error = "this server does not learn (serve.learn in the config)";
  }

  const ServeOptions& options_;
  RequestQueue& queue_;
};

core::Json describe_server(const runtime::StageContext& context, const Options& options,
                           const DecodeOptions& decoding) {
  core::Json models = core::Json::array();
  for (const auto& model : options.models) models.push_back(model.filename().string());
  return {{"program", "knnseq"},
          {"trace_version", trace_version},
          {"models", models},
          {"ranks", context.comm.size()},
          {"settings", describe_settings(options, decoding)},
          {"learns", options.serve.learn},
          {"offers", offered_settings(context.run_dir, options, decoding)},
          {"limits",
           {{"queue", options.serve.queue},
            {"body_bytes", options.serve.body_bytes},
            {"answer_seconds", options.serve.answer_seconds}}}};
}

/// The page, what it consists of, and what it shows first.
void offer_page(http::Server& server, const std::string& examples) {
  const auto give = [&](const char* path, const char* type, std::string body) {
    const http::Answer answer{200, std::move(body), type};
    server.handle("GET", path, [answer](const auto&) { return answer; });
  };
  give("/", "text/html; charset=utf-8", served_page());
  give("/page.css", "text/css; charset=utf-8", page_css);
  give("/page.js", "text/javascript; charset=utf-8", page_js);
  give("/v1/examples", "application/json", examples);
}

/// Translates what waits until it is asked to stop, and then what still waits.
void translate_queue(RequestQueue& queue, ResidentTranslator& translator, http::Server& server) {
  constexpr double patience_seconds = 0.2;
  std::thread stopper;
  std::atomic<bool> stopped = false;
  while (true) {
    if (!stopper.joinable() && (runtime::stop_requested() || runtime::end_requested())) {
      // Waits for the requests in hand, which wait for us.
      stopper = std::thread([&] {
        server.stop();
        stopped = true;
      });
    }
    auto batch = queue.take(patience_seconds);
    if (batch.empty() && stopped) break;
    if (batch.empty()) {
      translator.keep_alive();
      continue;
    }
    std::vector<TranslationRequest> requests;
    for (const auto& queued : batch) requests.push_back(queued.request);
    translator.translate(requests, [&](std::size_t request, TranslationAnswer answer) {
      batch[request].answer.set_value(std::move(answer));
    });
  }
  stopper.join();
}

void warn_if_open(obs::Log& log, const http::Address& address) {
  if (address.is_loopback()) return;
  log.warn(fmt::format(
      "{} can be reached from other machines, and there is no authentication and no encryption: "
      "whoever reaches it can translate, and read the datastore's text in traces",
      address.host));
}

}  // namespace

void serve(runtime::StageContext& context, const Options& options,
           const std::vector<std::string>& names) {
  context.log.set_stage("serve");
  DecodeOptions decoding;
  std::unique_ptr<http::Server> server;  // rank 0's
  std::string info, examples;            // likewise
  comm::agree(context.comm, [&] {
    decoding = choose_decoding(options, names, "serve");
    const auto address = http::Address::parse(options.serve.listen);
    if (!context.comm.is_root()) return;
    server = std::make_unique<http::Server>(http::ServerOptions{
        .address = address, .hosts = options.serve.hosts, .body_bytes = options.serve.body_bytes});
    warn_if_open(context.log, address);
    info = describe_server(context, options, decoding).dump();
    examples = example_lines(context.run_dir, options).dump();
  });
  log_settings(context, options, decoding, names);
  ResidentTranslator translator(context, options, decoding);
  if (!context.comm.is_root()) return translator.serve();
  RequestQueue queue(options.serve.queue);
  server->handle("GET", "/healthz", [](const auto&) {
    return http::Answer{200, R"({"ok":true})"};
  });
  server->handle("GET", "/v1/info", [&](const auto&) { return http::Answer{200, info}; });
  server->handle("POST", "/v1/translate", TranslateHandler(options.serve, queue));
  offer_page(*server, examples);
  server->start();
  context.log.info(fmt::format("listening on http://{}:{}",
                               http::Address::parse(options.serve.listen).host, server->port()));
  translate_queue(queue, translator, *server);
  context.log.info("all requests are answered; ending");
  translator.end();
}

}  // namespace knnseq::stages
