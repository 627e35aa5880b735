#include "apps/ps.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <vector>

#include "apps/flags.h"
#include "apps/server_client.h"
#include "terminal/terminal.h"

namespace quire {
namespace {

constexpr std::size_t kColumns = 5;
using TableRow = std::array<std::string, kColumns>;

double number(const Json& model, const char* key) {
  const Json* value = model.find(key);
  return value != nullptr && value->is_number() ? value->as_double() : 0;
}

std::string text(const Json& model, const char* key) {
  const Json* value = model.find(key);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

std::string duration_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.0f} h", seconds / 3600);
}

TableRow table_row(const Json& model) {
  const double running = number(model, "requests_running");
  const double waiting = number(model, "requests_waiting");
  const bool is_failed = text(model, "state") == "unloaded" && !text(model, "failure").empty();
  std::string use = "-";
  if (running + waiting > 0) {
    use = fmt::format("{:.0f} running, {:.0f} waiting", running, waiting);
  } else if (text(model, "state") == "ready") {
    use = number(model, "users") > 0
              ? "in use"
              : "idle for " + duration_text(number(model, "idle_seconds"));
  }
  const double context = number(model, "context_max"), bytes = number(model, "bytes");
  return {text(model, "name"), is_failed ? "failed" : text(model, "state"),
          bytes > 0 ? size_text(static_cast<std::uint64_t>(bytes)) : "-",
          context > 0 ? grouped(static_cast<std::uint64_t>(context)) : "-", use};
}

int ps(const ServerAddress& address) {
  const Result<Json> answer = ask_server(address, "GET", "/quire/models");
  if (!answer.is_ok()) {
    std::fprintf(stderr, "quire: %s\n", answer.status().message().c_str());
    return 1;
  }
  std::fputs(models_table(*answer).c_str(), stdout);
  return 0;
}

}  // namespace

std::string models_table(const Json& answer) {
  std::vector<TableRow> rows = {{"NAME", "STATE", "MEMORY", "CONTEXT", "USE"}};
  std::string failures;
  const Json* models = answer.find("models");
  if (models != nullptr && models->is_array()) {
    for (const Json& model : models->items()) {
      rows.push_back(table_row(model));
      if (!text(model, "failure").empty()) failures += text(model, "failure") + "\n";
    }
  }
  std::array<std::size_t, kColumns> widths = {};
  for (const TableRow& row : rows) {
    for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const TableRow& row : rows) {
    for (std::size_t i = 0; i + 1 < kColumns; ++i) {
      out += fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    out += row.back() + "\n";
  }
  return out + (failures.empty() ? "" : "\n" + failures);
}

void declare_ps(Command& parent, std::function<int()>& chosen) {
  const auto address = std::make_shared<ServerAddress>();
  Command command = parent.command("ps", "Models of a running server, and what they do");
  declare_server_flags(command, *address);
  command.when_chosen([address, &chosen] { chosen = [address] { return ps(*address); }; });
}

}  // namespace quire
