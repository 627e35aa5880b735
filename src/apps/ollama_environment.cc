#include "apps/ollama_environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace quire {
namespace {

constexpr const char* kUnused[] = {
    "OLLAMA_NUM_PARALLEL", "OLLAMA_MAX_LOADED_MODELS", "OLLAMA_LOAD_TIMEOUT",
    "OLLAMA_FLASH_ATTENTION", "OLLAMA_KV_CACHE_TYPE", "OLLAMA_NOPRUNE", "OLLAMA_SCHED_SPREAD"};

// Digits and nothing else.
template <typename T>
bool read_number(std::string_view text, T& number) {
  const char* end = text.data() + text.size();
  T read = 0;
  const auto [at, failure] = std::from_chars(text.data(), end, read);
  if (failure != std::errc() || at != end || text.empty()) return false;
  number = read;
  return true;
}

// "host", ":port", "host:port", with or without a scheme.
bool read_host(std::string_view text, std::string& host, int& port) {
  if (const auto scheme = text.find("://"); scheme != text.npos) text.remove_prefix(scheme + 3);
  if (const auto slash = text.find('/'); slash != text.npos) text = text.substr(0, slash);
  constexpr int kOllamasPort = 11434, kPortMax = 65535;
  int asked = kOllamasPort;
  const std::size_t colon = text.rfind(':');
  const bool has_port = colon != text.npos && text.find(']', colon) == text.npos;
  if (has_port && (!read_number(text.substr(colon + 1), asked) || asked > kPortMax)) return false;
  std::string_view name = has_port ? text.substr(0, colon) : text;
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  host = name.empty() || name == "localhost" ? "127.0.0.1" : std::string(name);
  port = asked;
  return true;
}

}  // namespace

std::vector<OllamaVariable> take_ollama_environment(
    const std::function<std::optional<std::string>(const std::string& name)>& value,
    ServeArguments& arguments) {
  const ServeArguments defaults;
  std::vector<OllamaVariable> said;
  const auto take = [&](const char* name, const char* flag, bool is_default, auto set) {
    const auto text = value(name);
    if (!text || text->empty()) return;
    const bool is_good = !is_default || set(*text);
    const char* how = !is_default ? "is overruled by" : is_good ? "is taken as" : "is no value of";
    said.push_back({fmt::format("{}={} {} {}", name, *text, how, flag), !is_good});
  };
  ServerOptions& server = arguments.server;
  take("OLLAMA_HOST", "--host and --port",
       server.host == defaults.server.host && server.port == defaults.server.port,
       [&](const std::string& text) { return read_host(text, server.host, server.port); });
  take("OLLAMA_KEEP_ALIVE", "--keep-alive", arguments.keep_alive == defaults.keep_alive,
       [&](const std::string& text) {
         if (!parse_duration(text).is_ok()) return false;
         arguments.keep_alive = text;
         return true;
       });
  take("OLLAMA_ORIGINS", "--allowed-origins", server.allowed_origins.empty(),
       [&](const std::string& text) {
         for (std::size_t at = 0; at <= text.size();) {
           const std::size_t end = std::min(text.find(',', at), text.size());
           if (end > at) server.allowed_origins.push_back(text.substr(at, end - at));
           at = end + 1;
         }
         return true;
       });
  take("OLLAMA_CONTEXT_LENGTH", "--max-model-len", arguments.common.max_model_len == 0,
       [&](const std::string& text) {
         return read_number(text, arguments.common.max_model_len);
       });
  take("OLLAMA_MAX_QUEUE", "--max-queue",
       arguments.common.max_queue == defaults.common.max_queue, [&](const std::string& text) {
         return read_number(text, arguments.common.max_queue);
       });
  for (const char* name : kUnused) {
    if (value(name)) said.push_back({fmt::format("{} has no effect here", name)});
  }
  return said;
}

}  // namespace quire
