// The table of `quire ps`, from what a server says.
#include "apps/ps.h"

#include <gtest/gtest.h>

#include "apps/server_client.h"

namespace quire {
namespace {

TEST(PsTest, ATableOfModels) {
  const auto answer = parse_json(R"({"models": [
    {"name": "a", "state": "ready", "bytes": 98362432, "users": 0, "idle_seconds": 300,
     "context_max": 8192, "failure": null, "requests_running": 0, "requests_waiting": 0},
    {"name": "a longer name", "state": "ready", "bytes": 1073741824, "users": 3,
     "context_max": 512, "failure": null, "requests_running": 2, "requests_waiting": 1},
    {"name": "c", "state": "unloaded", "bytes": 0, "context_max": 0,
     "failure": "The model 'c' cannot be loaded: byte 7 is wrong"},
    {"name": "d", "state": "loading", "bytes": 0, "context_max": 0, "failure": null}]})");
  ASSERT_TRUE(answer.is_ok());
  EXPECT_EQ(models_table(*answer),
            "NAME           STATE    MEMORY    CONTEXT  USE\n"
            "a              ready    93.8 MiB  8,192    idle for 5 min\n"
            "a longer name  ready    1.0 GiB   512      2 running, 1 waiting\n"
            "c              failed   -         -        -\n"
            "d              loading  -         -        -\n"
            "\n"
            "The model 'c' cannot be loaded: byte 7 is wrong\n");
}

TEST(PsTest, WhatIsNoListIsAnEmptyTable) {
  EXPECT_EQ(models_table(Json()), "NAME  STATE  MEMORY  CONTEXT  USE\n");
}

TEST(PsTest, NobodyAtTheAddressIsASentence) {
  const auto answer = ask_server({.endpoint = "http://127.0.0.1:1/v1/"}, "GET", "/quire/models");
  ASSERT_FALSE(answer.is_ok());
  EXPECT_EQ(answer.status().message().find("no server answers at http://127.0.0.1:1 ("), 0u)
      << answer.status().message();
}

}  // namespace
}  // namespace quire
