#include "apps/stop.h"

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "apps/flags.h"
#include "apps/server_client.h"
#include "base/clock.h"
#include "net/url.h"

namespace quire {
namespace {

struct StopArguments {
  ServerAddress server;
  std::vector<std::string> names;
  int wait_s = 60;
};

constexpr std::chrono::milliseconds kPoll{100};

// The state of the model in what GET /quire/models says; empty: no such model.
std::string state_of(const Json& answer, const std::string& name) {
  const Json* models = answer.find("models");
  if (models == nullptr || !models->is_array()) return {};
  for (const Json& model : models->items()) {
    const Json* known = model.find("name");
    const Json* state = model.find("state");
    const bool is_named = known != nullptr && known->is_string() && known->as_string() == name;
    if (is_named && state != nullptr && state->is_string()) return state->as_string();
  }
  return {};
}

// Asks, then looks until the model is gone or the time is over.
Result<std::string> stop_one(const StopArguments& arguments, const std::string& asked) {
  QUIRE_ASSIGN_OR_RETURN(
      const Json model, ask_server(arguments.server, "POST",
                                   "/quire/models/" + net::url_escaped(asked, true) + "/unload"));
  const Json* name_json = model.find("name");  // an alias stands for the first name
  const std::string name =
      name_json != nullptr && name_json->is_string() ? name_json->as_string() : asked;
  const Nanos deadline = SteadyClock::now() + std::chrono::seconds(arguments.wait_s);
  for (;;) {
    QUIRE_ASSIGN_OR_RETURN(const Json all, ask_server(arguments.server, "GET", "/quire/models"));
    const std::string state = state_of(all, name);
    if (state == "unloaded") return name + " is unloaded";
    if (state == "loading") return name + " was unloaded, and is wanted again";
    if (SteadyClock::now() >= deadline) {
      return name + " still answers requests; it leaves when the last one has finished";
    }
    std::this_thread::sleep_for(kPoll);
  }
}

int stop(const StopArguments& arguments) {
  int failures = 0;
  for (const std::string& name : arguments.names) {
    const Result<std::string> outcome = stop_one(arguments, name);
    if (outcome.is_ok()) {
      std::printf("%s\n", outcome->c_str());
    } else {
      std::fprintf(stderr, "quire: %s\n", outcome.status().message().c_str());
      ++failures;
    }
  }
  return failures > 0 ? 1 : 0;
}

}  // namespace

void declare_stop(Command& parent, std::function<int()>& chosen) {
  const auto arguments = std::make_shared<StopArguments>();
  Command command = parent.command(
      "stop", "Unload models of a running server, after their requests");
  command.value("NAME", arguments->names, "as `quire ps` shows them").required();
  command.value("--wait", arguments->wait_s, "seconds to wait for running requests")
      .between(0, 86'400).shows_default();
  declare_server_flags(command, arguments->server);
  command.when_chosen([arguments, &chosen] { chosen = [arguments] { return stop(*arguments); }; });
}

}  // namespace quire
