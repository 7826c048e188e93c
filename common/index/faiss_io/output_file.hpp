// A file that faiss and we write to in turn; for the .cpp files of this module.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

namespace knnseq::index {

/// Created empty. All but the destructor throw core::SystemError.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& path);

  std::FILE* handle() { return file_.get(); }

  template <class T>
  void write(std::span<const T> values) {
    if (values.empty()) return;
    check(std::fwrite(values.data(), sizeof(T), values.size(), handle()) == values.size(), "write");
  }
  void write(std::string_view text) { write(std::span<const char>(text)); }
  void write(std::uint64_t value) { write(std::span<const std::uint64_t>(&value, 1)); }

  /// Removes `text`, which must be what was written last.
  void take_back(std::string_view text);

  void close();

 private:
  void check(bool holds, const char* call) const;
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Closer> file_;
};

}  // namespace knnseq::index
