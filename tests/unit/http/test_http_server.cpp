// The server, asked by well-behaved and by other clients.
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/error.hpp"
#include "http/http_server.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;

namespace {

const http::Address any_port{"127.0.0.1", 0};

/// Echoes what is posted, in brackets.
class Echo {
 public:
  explicit Echo(http::ServerOptions options = {.address = any_port}) : server(options) {
    server.handle("GET", "/ok", [](const auto&) { return http::Answer{200, "{}"}; });
    server.handle("POST", "/echo", [](const std::string& body) {
      if (body == "bad") throw core::InputError("field: what is wrong");
      if (body == "worse") throw std::runtime_error("no \xff");
      if (body == "slow") std::this_thread::sleep_for(std::chrono::milliseconds(600));
      return http::Answer{body == "none" ? 503 : 200, "[" + body + "]"};
    });
    server.start();
  }
  httplib::Client client() const { return httplib::Client("127.0.0.1", server.port()); }
  std::string host() const { return "127.0.0.1:" + std::to_string(server.port()); }

  http::Server server;
};

/// What comes back for bytes as they are, until the server closes the connection.
std::string send_bytes(int port, const std::string& bytes, int more = 0) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  for (int i = 0; i < more; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    if (::send(fd, "x", 1, MSG_NOSIGNAL) < 0) break;
  }
  std::string answer;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(fd);
  return answer;
}

}  // namespace

TEST_CASE("addresses are read, and loopback is known") {
  CHECK(http::Address::parse("127.0.0.1:8080").port == 8080);
  CHECK(http::Address::parse("[::1]:0").host == "[::1]");
  for (const auto* text : {"127.0.0.1:1", "localhost:1", "LocalHost:1", "[::1]:1", "127.9.9.9:1"}) {
    CHECK(http::Address::parse(text).is_loopback());
  }
  for (const auto* text : {"0.0.0.0:1", "[::]:1", "example.org:1", "10.0.0.1:1"}) {
    CHECK_FALSE(http::Address::parse(text).is_loopback());
  }
  for (const auto* text :
       {"", "8080", ":8080", "a:", "a:x", "a:65536", "a:123456", "::1:80", "a:-1"}) {
    INFO(text);
    CHECK_THROWS_AS(http::Address::parse(text), core::InputError);
  }
}

TEST_CASE("requests are answered as JSON that no browser takes for anything else") {
  const Echo echo;
  auto client = echo.client();
  const auto got = client.Get("/ok");
  REQUIRE(got);
  CHECK(got->status == 200);
  CHECK(got->get_header_value("Content-Type") == "application/json");
  CHECK(got->get_header_value("X-Content-Type-Options") == "nosniff");
  CHECK(got->get_header_value("Content-Security-Policy") == "default-src 'none'");
  const auto post = [&](const std::string& body) {
    return client.Post("/echo", body, "application/json; charset=utf-8");
  };
  CHECK(post("x")->body == "[x]");
  CHECK(post("none")->status == 503);
  const auto bad = post("bad");
  CHECK(bad->status == 400);
  CHECK(bad->body == R"({"error":{"message":"field: what is wrong"}})");
  const auto worse = post("worse");
  CHECK(worse->status == 500);
  CHECK_THAT(worse->body, Contains("no \xEF\xBF\xBD"));
  const auto missing = client.Get("/<script>");
  CHECK(missing->status == 404);
  CHECK_THAT(missing->body, Contains("\"error\"") && !Contains("<"));
  CHECK(missing->get_header_value("X-Content-Type-Options") == "nosniff");
  CHECK(client.Get("/echo")->status == 404);
}

TEST_CASE("pages of other sites do not reach it") {
  const Echo echo;
  auto client = echo.client();
  const auto ask = [&](const httplib::Headers& headers) {
    return client.Post("/echo", headers, "x", "application/json")->status;
  };
  const auto port = std::to_string(echo.server.port());
  CHECK(ask({{"Host", echo.host()}}) == 200);
  CHECK(ask({{"Host", "LOCALHOST:" + port}}) == 200);
  CHECK(ask({{"Host", "[::1]:" + port}}) == 200);
  CHECK(ask({{"Host", echo.host()}, {"Origin", "http://" + echo.host()}}) == 200);
  for (const auto& host : {std::string("evil.example:") + port, std::string("evil.example"),
                           std::string("127.0.0.1"), std::string("127.0.0.1:1"), std::string("")}) {
    INFO(host);
    CHECK(ask({{"Host", host}}) == 403);
  }
  for (const auto& origin : {"http://evil.example", "null", "https://127.0.0.1"}) {
    CHECK(ask({{"Host", echo.host()}, {"Origin", origin}}) == 403);
  }
  CHECK(client.Post("/echo", "x", "text/plain")->status == 415);
  CHECK(client.Post("/echo", "x", "application/x-www-form-urlencoded")->status == 415);
  const Echo named({.address = any_port, .hosts = {"Translator.example"}});
  const auto answer = named.client().Get(
      "/ok", {{"Host", "translator.example:" + std::to_string(named.server.port())}});
  CHECK(answer->status == 200);
}

TEST_CASE("a page may use its own server and nothing else, and what is no page nothing at all") {
  http::Server server({.address = any_port});
  server.handle("GET", "/", [](const auto&) {
    return http::Answer{200, "<p>", "text/html; charset=utf-8"};
  });
  server.handle("GET", "/style", [](const auto&) { return http::Answer{200, "p {}", "text/css"}; });
  server.start();
  httplib::Client client("127.0.0.1", server.port());
  const auto page = client.Get("/");
  CHECK(page->get_header_value("Content-Type") == "text/html; charset=utf-8");
  CHECK(page->get_header_value("X-Content-Type-Options") == "nosniff");
  CHECK(page->get_header_value_count("Content-Security-Policy") == 1);
  CHECK_THAT(page->get_header_value("Content-Security-Policy"), Contains("default-src 'none'") &&
                                                                    Contains("script-src 'self'") &&
                                                                    Contains("connect-src 'self'"));
  const auto style = client.Get("/style");
  CHECK(style->get_header_value("Content-Type") == "text/css");
  CHECK(style->get_header_value("Content-Security-Policy") == "default-src 'none'");
}

TEST_CASE("malformed, huge and slow requests are answered or closed, and disturb nobody") {
  const Echo echo(
      {.address = any_port, .body_bytes = 1000, .silence_seconds = 1, .connections = 4});
  const int port = echo.server.port();
  const auto head =
      "POST /echo HTTP/1.1\r\nHost: " + echo.host() + "\r\nContent-Type: application/json\r\n";
  CHECK_THAT(send_bytes(port, "GARBAGE\r\n\r\n"), Contains(" 400 "));
  CHECK_THAT(send_bytes(port, "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n\r\n"),
             Contains(" 414 "));
  CHECK_THAT(send_bytes(port, head + "Content-Length: 2000\r\nConnection: close\r\n\r\n" +
                                  std::string(2000, 'x')),
             Contains(" 413 ") && Contains("the body is too long"));
  const Echo impatient({.address = any_port, .silence_seconds = 5, .body_seconds = 0.5});
  const auto trickle = "POST /echo HTTP/1.1\r\nHost: " + impatient.host() +
                       "\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n";
  CHECK_THAT(send_bytes(impatient.server.port(), trickle, 4),
             Contains(" 408 ") && Contains("the body came too slowly"));
  std::atomic<int> closed = 0;
  std::vector<std::thread> slow;
  for (int i = 0; i < 3; ++i) {
    slow.emplace_back([&] {
      send_bytes(port, head + "Content-Length: 500\r\n\r\nxx");  // and nothing more
      ++closed;
    });
  }
  auto client = echo.client();
  for (int i = 0; i < 20; ++i) {
    const auto answer = client.Post("/echo", "y", "application/json");
    REQUIRE(answer);
    CHECK(answer->body == "[y]");
  }
  for (auto& thread : slow) thread.join();
  CHECK(closed == 3);
}

TEST_CASE("many clients that come at once are answered, however few at a time") {
  const Echo echo({.address = any_port, .silence_seconds = 60, .connections = 2});
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 100; ++i) {
    clients.emplace_back([&] {
      const auto answer = echo.client().Post("/echo", "z", "application/json");
      if (answer && answer->body == "[z]") ++answered;
    });
  }
  for (auto& client : clients) client.join();
  CHECK(answered == 100);
}

TEST_CASE("requests in hand are answered before it stops; its port is its own") {
  Echo echo;
  CHECK_THROWS_WITH(http::Server({.address = {"127.0.0.1", echo.server.port()}}),
                    Contains("cannot be listened on"));
  CHECK_THROWS_AS(http::Server({.address = {"192.0.2.1", 0}}), core::InputError);
  std::string body;
  std::thread asking([&] {
    const auto answer = echo.client().Post("/echo", "slow", "application/json");
    if (answer) body = answer->body;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  echo.server.stop();
  asking.join();
  CHECK(body == "[slow]");
  CHECK_FALSE(echo.client().Get("/ok"));
  const Echo again({.address = {"127.0.0.1", echo.server.port()}});
  CHECK(again.client().Get("/ok")->status == 200);
}
