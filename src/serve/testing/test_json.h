// json_of: the JSON of an answer that a test got. What is none fails the test.
// The test's thread.
// Used by tests of dialects and of the server.
#pragma once

#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_server.h"

namespace quire {

inline Json json_of(const TestResponse& response) {
  Result<Json> json = parse_json(response.body);
  if (!json.is_ok()) ADD_FAILURE() << response.status << ": " << response.body;
  return json.is_ok() ? *json : Json::object();
}

}  // namespace quire
