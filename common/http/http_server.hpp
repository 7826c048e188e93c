// A small HTTP/1.1 server for JSON and a page, for programs and browsers of this machine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace knnseq::http {

/// "127.0.0.1:8080", "localhost:8080" or "[::1]:8080" in its parts.
struct Address {
  std::string host;
  int port = 0;  ///< 0: any free one

  /// Whether only programs of this machine can reach it.
  bool is_loopback() const;
  /// Throws core::InputError for what is not of that form.
  static Address parse(const std::string& text);
};

struct Answer {
  int status = 200;
  std::string body;
  /// A page (text/html) may load style, scripts, and what its scripts ask for, from this server.
  std::string type = "application/json";
};

struct ServerOptions {
  Address address;
  /// Names and addresses that a request's Host may say beside the server's own and, on a loopback
  /// address, localhost; without ports.
  std::vector<std::string> hosts = {};
  std::int64_t body_bytes = 1 << 20;  ///< of a request, at most
  double silence_seconds = 5;         ///< after so long without a byte a connection is closed
  double body_seconds = 30;           ///< a body has to be there after so long, however it trickles
  std::int64_t connections = 128;     ///< that are served at the same time; others wait
};

/// Calls handlers from threads of its own, several at a time.
///
/// A page of another site must not reach it through a user's browser: a request whose Host is not
/// one of the server's, or whose Origin is not the server itself, is refused (403), and so is a
/// POST whose Content-Type is not application/json (415), which browsers do not send elsewhere
/// unasked. Every answer has headers that forbid a browser to take it for anything but its type,
/// and a page to use anything of another server. What is refused, and what a handler throws, is
/// answered as {"error": {"message"}}.
class Server {
 public:
  using Handler = std::function<Answer(const std::string& body)>;

  /// Binds the address, but does not answer yet. Throws core::InputError if it cannot be bound.
  explicit Server(const ServerOptions& options);
  ~Server();  ///< as stop()
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Before start(). method: GET or POST. A handler's core::InputError is status 400, everything
  /// else that it throws 500.
  void handle(const std::string& method, const std::string& path, Handler handler);
  void start();
  /// Takes no more requests; returns when those in hand are answered.
  void stop();

  int port() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace knnseq::http
