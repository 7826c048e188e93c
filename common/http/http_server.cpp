#include "http/http_server.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <httplib.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

#include "core/error.hpp"

namespace knnseq::http {

namespace {

constexpr const char* json_type = "application/json";
constexpr const char* policy_of_pages =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string error_body(const std::string& message) {
  return nlohmann::json{{"error", {{"message", message}}}}.dump(
      -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// As they are compared: without brackets and in small letters.
std::string plain_host(std::string host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::ranges::transform(host, host.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return host;
}

std::string message_of(int status) {
  switch (status) {
    case 404:
      return "there is nothing here; see docs/serve.md";
    case 408:
      return "the body came too slowly";
    case 413:
      return "the body is too long (serve.body_bytes in the config)";
    default:
      return "the request is not understood";
  }
}

}  // namespace

bool Address::is_loopback() const {
  const auto host_name = plain_host(host);
  return host_name == "localhost" || host_name == "::1" || host_name.starts_with("127.");
}

Address Address::parse(const std::string& text) {
  const auto colon = text.rfind(':');
  const auto refuse = [&] {
    throw core::InputError(fmt::format("'{}' is not an address of the form 127.0.0.1:8080", text));
  };
  if (colon == text.npos || colon == 0) refuse();
  Address address{text.substr(0, colon), 0};
  const auto port = text.substr(colon + 1);
  const bool is_number = !port.empty() && port.size() <= 5 &&
                         std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number || std::stoi(port) > 65535) refuse();
  const bool bracketed = address.host.starts_with('[') && address.host.ends_with(']');
  if (!bracketed && address.host.find(':') != address.host.npos) refuse();
  address.port = std::stoi(port);
  return address;
}

class Server::Implementation {
 public:
  explicit Implementation(const ServerOptions& options) : options_(options) {
    server_.new_task_queue = [threads = options.connections] {
      return new httplib::ThreadPool(static_cast<std::size_t>(threads));
    };
    server_.set_payload_max_length(static_cast<std::size_t>(options.body_bytes));
    const auto silence = static_cast<std::time_t>(options.silence_seconds);
    server_.set_read_timeout(silence);
    server_.set_write_timeout(silence);
    server_.set_keep_alive_timeout(silence);
    server_.set_keep_alive_max_count(1'000'000);
    server_.set_tcp_nodelay(true);
    server_.set_socket_options([this](socket_t socket) {  // not SO_REUSEPORT, which shares the port
      listener_ = socket;
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server_.set_default_headers({{"X-Content-Type-Options", "nosniff"},
                                 {"Content-Security-Policy", "default-src 'none'"},
                                 {"Referrer-Policy", "no-referrer"},
                                 {"Cache-Control", "no-store"}});
    server_.set_pre_routing_handler([this](const auto& request, auto& response) {
      return check(request, response) ? httplib::Server::HandlerResponse::Unhandled
                                      : httplib::Server::HandlerResponse::Handled;
    });
    server_.set_error_handler([](const httplib::Request&, httplib::Response& response) {
      if (response.body.empty()) {
        response.set_content(error_body(message_of(response.status)), json_type);
      }
    });
    bind();
  }

  void handle(const std::string& method, const std::string& path, Handler handler) {
    const auto call = [handler = std::move(handler)](const std::string& body,
                                                     httplib::Response& response) {
      Answer answer;
      try {
        answer = handler(body);
      } catch (const core::InputError& e) {
        answer = {400, error_body(e.what())};
      } catch (const std::exception& e) {
        answer = {500, error_body(e.what())};
      }
      response.status = answer.status;
      response.set_content(answer.body, answer.type);
      if (answer.type.starts_with("text/html")) {
        response.headers.erase("Content-Security-Policy");
        response.set_header("Content-Security-Policy", policy_of_pages);
      }
    };
    if (method == "GET") {
      server_.Get(path, [call](const httplib::Request&, httplib::Response& response) {
        call("", response);
      });
      return;
    }
    server_.Post(path, [this, call](const httplib::Request&, httplib::Response& response,
                                    const httplib::ContentReader& read) {
      if (const auto body = read_body(read, response)) call(*body, response);
    });
  }

  void start() {
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }

  void stop() {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }

  int port() const { return port_; }

 private:
  /// Nothing if it does not come whole and in time: the response then says why, and is the last.
  std::optional<std::string> read_body(const httplib::ContentReader& read,
                                       httplib::Response& response) const {
    const auto begin = std::chrono::steady_clock::now();
    const std::chrono::duration<double> most(options_.body_seconds);
    std::string body;
    bool late = false;
    const bool whole = read([&](const char* data, std::size_t count) {
      body.append(data, count);
      late = std::chrono::steady_clock::now() - begin > most;
      return !late;
    });
    if (whole) return body;
    if (late) response.status = 408;
    response.set_header("Connection", "close");
    return std::nullopt;
  }

  void bind() {
    const auto host = plain_host(options_.address.host);
    const int wanted = options_.address.port;
    port_ = wanted == 0                          ? server_.bind_to_any_port(host)
            : server_.bind_to_port(host, wanted) ? wanted
                                                 : -1;
    if (port_ > 0) {
      // The library lets 5 connections wait to be accepted, and the system resets more than that.
      if (::listen(listener_, SOMAXCONN) != 0) throw core::SystemError("listen", host, errno);
      return;
    }
    throw core::InputError(fmt::format(
        "{}:{} cannot be listened on: no such address of this machine, or another program has the "
        "port",
        options_.address.host, wanted));
  }

  bool is_own_host(const std::string& header) const {
    Address said;
    try {
      said = Address::parse(header);
    } catch (const core::InputError&) {
      said = {header, 80};  // no port in a Host means that of HTTP
    }
    if (said.port != port_) return false;
    const auto host = plain_host(said.host);
    const auto is = [&](const std::string& name) { return host == plain_host(name); };
    if (is(options_.address.host) || std::ranges::any_of(options_.hosts, is)) return true;
    return options_.address.is_loopback() && (is("localhost") || is("127.0.0.1") || is("::1"));
  }

  /// Whether the request may be answered; if not, the response says why.
  bool check(const httplib::Request& request, httplib::Response& response) const {
    const auto refuse = [&](int status, const std::string& why) {
      response.status = status;
      response.set_content(error_body(why), json_type);
      return false;
    };
    const auto host = request.get_header_value("Host");
    if (!is_own_host(host)) {
      return refuse(403, "the header Host names another server (serve.hosts in the config)");
    }
    if (request.has_header("Origin") && request.get_header_value("Origin") != "http://" + host) {
      return refuse(403, "pages of other sites may not ask this server");
    }
    auto type = request.get_header_value("Content-Type");
    type = type.substr(0, type.find(';'));
    if (request.method == "POST" && type != json_type) {
      return refuse(415, "the header Content-Type must be application/json");
    }
    return true;
  }

  ServerOptions options_;
  httplib::Server server_;
  socket_t listener_ = INVALID_SOCKET;
  int port_ = -1;
  std::thread thread_;
};

Server::Server(const ServerOptions& options)
    : implementation_(std::make_unique<Implementation>(options)) {}

Server::~Server() { stop(); }

void Server::handle(const std::string& method, const std::string& path, Handler handler) {
  implementation_->handle(method, path, std::move(handler));
}

void Server::start() { implementation_->start(); }

void Server::stop() { implementation_->stop(); }

int Server::port() const { return implementation_->port(); }

}  // namespace knnseq::http
