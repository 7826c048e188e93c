#include "obs/progress_meter.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace knnseq::obs {

ProgressMeter::ProgressMeter(std::string unit, std::int64_t total)
    : unit_(std::move(unit)), total_(total) {}

bool ProgressMeter::due(double interval_seconds) {
  const auto now = Clock::now();
  if (std::chrono::duration<double>(now - shown_).count() < interval_seconds) return false;
  shown_ = now;
  return true;
}

std::string ProgressMeter::line() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  const double rate = static_cast<double>(done_) / std::max(seconds, 1e-9);
  std::string text = fmt::format(
      "{} of {} {} ({:.0f} %), {}/s", with_commas(done()), with_commas(total_), unit_,
      total_ > 0 ? 100.0 * static_cast<double>(done()) / static_cast<double>(total_) : 100.0,
      with_commas(std::llround(rate)));
  if (done() < total_ && rate > 0) {
    text += fmt::format(", {} left", as_duration(static_cast<double>(total_ - done()) / rate));
  }
  return text;
}

std::string with_commas(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t sign = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > sign + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string as_duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string as_bytes(std::int64_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, units[unit]);
}

}  // namespace knnseq::obs
