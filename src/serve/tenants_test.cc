// Tenants at the front door: what a key is worth, and that no tenant sees, delays or is told of
// another. How the engine deals out its work is tested in sched/tenants_test.cc and
// sim/fairness_test.cc.
#include "serve/tenants.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/metrics.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

http::Request with_key(const std::string& key) {
  http::Request request;
  request.headers.push_back({"authorization", "Bearer " + key});
  return request;
}

TEST(TenantsTest, AKeyIsATenantWithAShare) {
  const Tenants tenants({"one", "two"}, {3, 1});
  const auto first = tenants.tenant_of(with_key("one"));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->name, "key-0");
  EXPECT_EQ(first->share, 3u);
  EXPECT_EQ(tenants.tenant_of(with_key("two"))->name, "key-1");
  EXPECT_FALSE(tenants.tenant_of(with_key("three")).has_value());
  EXPECT_EQ(tenants.all().size(), 2u);
}

TEST(TenantsTest, KeysOfAFileComeBesideTheOthersAndKeepTheirTenants) {
  Tenants tenants({"one"}, {});
  const auto name_of = [&](const std::string& key) {
    const auto tenant = tenants.tenant_of(with_key(key));
    return tenant.has_value() ? tenant->name : "nobody";
  };
  ASSERT_TRUE(tenants.set_file_keys({{"two"}, {"three", "team", 5}, {"four", "team", 5}}).is_ok());
  EXPECT_EQ(name_of("one"), "key-0");
  EXPECT_EQ(name_of("two"), "key-1");
  EXPECT_EQ(name_of("three"), "team");
  EXPECT_EQ(name_of("four"), "team");
  EXPECT_EQ(tenants.tenant_of(with_key("four"))->share, 5u);

  ASSERT_TRUE(tenants.set_file_keys({{"five"}, {"four", "team", 5}}).is_ok());
  EXPECT_EQ(name_of("two"), "nobody");
  EXPECT_EQ(name_of("three"), "nobody");
  EXPECT_EQ(name_of("five"), "key-2") << "a place of another key is not given again";
  ASSERT_TRUE(tenants.set_file_keys({{"five"}, {"two"}}).is_ok());
  EXPECT_EQ(name_of("two"), "key-1") << "who comes back finds what was left";

  const Status twice = tenants.set_file_keys({{"six"}, {.key = "one", .line = 7}});
  EXPECT_EQ(twice.message(), "line 7: the key is given by --api-key as well");
  EXPECT_EQ(name_of("two"), "key-1");
  EXPECT_EQ(name_of("six"), "nobody");
}

TEST(TenantsTest, AFileWithoutKeysLetsNobodyIn) {
  Tenants tenants({}, {});
  EXPECT_FALSE(tenants.asks_for_keys());
  ASSERT_TRUE(tenants.set_file_keys({}).is_ok());
  EXPECT_TRUE(tenants.asks_for_keys());
  EXPECT_FALSE(tenants.tenant_of(with_key("any")).has_value());
  EXPECT_FALSE(tenants.tenant_of(http::Request()).has_value());
}

TEST(TenantsTest, WithoutKeysEverybodyIsThePublicTenant) {
  const Tenants tenants({}, {});
  EXPECT_EQ(tenants.tenant_of(with_key("any"))->name, "");
  EXPECT_EQ(tenants.tenant_of(http::Request())->share, 1u);
}

TEST(TenantsTest, TenantsDoNotShareTheirCache) {
  ServerOptions options;
  options.api_keys = {"one", "two"};
  TestServer server(options);
  TestClient client = server.client();
  const std::string body =
      R"({"model":"m","max_tokens":1,"prompt":")" + std::string(200, 'x') + "\"}";
  const auto cached = [&](const char* key) {
    const TestResponse response = client.post(
        "/v1/completions", body, "Authorization: Bearer " + std::string(key) + "\r\n");
    const Json body = *parse_json(response.body);
    return body.find("usage")->find("prompt_tokens_details")->find("cached_tokens")->as_int();
  };
  EXPECT_EQ(cached("one"), 0);
  EXPECT_GT(cached("one"), 100);
  EXPECT_EQ(cached("two"), 0);
}

// One place in the batch, and a queue that one key has filled: the other's request is taken, and it
// is the next one.
TEST(TenantsTest, AFloodOfOneKeyHoldsUpNoOther) {
  ServerOptions options;
  options.api_keys = {"sesame", "other"};
  TestServer server(options, {.rows_max = 1, .queue_max = 2});
  server.gate().close();
  const auto send = [](TestClient& client, const char* key, int tokens) {
    const std::string body = R"({"model":"m","prompt":"hi","ignore_eos":true,"max_tokens":)" +
                             std::to_string(tokens) + "}";
    client.send(post_bytes("/v1/completions", body,
                           "Authorization: Bearer " + std::string(key) + "\r\n"));
  };
  std::vector<TestClient> flood;
  for (int i = 0; i < 4; ++i) flood.push_back(server.client());
  send(flood[0], "sesame", 200);
  server.gate().let_pass(1);
  server.wait_for_metric("quire_requests_running", 1);
  for (int i = 1; i < 3; ++i) send(flood[static_cast<std::size_t>(i)], "sesame", 200);
  while (server.metric("quire_requests_waiting") < 2) server.gate().let_pass(1);
  send(flood[3], "sesame", 200);
  EXPECT_EQ(flood[3].receive().status, 429);
  TestClient other = server.client();
  send(other, "other", 5);
  const std::string key = "quire_tenant_tokens_total{kind=\"generated\",tenant=\"key-";
  while (server.metric(key + "1\"}") < 5) server.gate().let_pass(1);
  EXPECT_LT(server.metric(key + "0\"}"), 2 * 200);
  server.gate().open();
  EXPECT_EQ(other.receive().status, 200);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(flood[static_cast<std::size_t>(i)].receive().status, 200);
  const std::string metrics = server.client().get("/metrics").body;
  EXPECT_NE(metrics.find(key + "0\"} 600"), std::string::npos);
  EXPECT_EQ(metrics.find("sesame"), std::string::npos) << "keys are told to nobody";
}

// Keys beyond the bound share one series.
TEST(TenantsTest, MetricsHaveABoundedNumberOfTenants) {
  ServerOptions options;
  for (std::size_t i = 0; i < Metrics::kTenantsMax + 5; ++i) {
    options.api_keys.push_back("k" + std::to_string(i));
  }
  TestServer server(options);
  const std::string body = R"({"model":"m","prompt":"hi","ignore_eos":true,"max_tokens":3})";
  for (std::size_t i = Metrics::kTenantsMax; i < options.api_keys.size(); ++i) {
    const std::string key = "Authorization: Bearer " + options.api_keys[i] + "\r\n";
    EXPECT_EQ(server.client().post("/v1/completions", body, key).status, 200);
  }
  EXPECT_EQ(server.metric("quire_tenant_tokens_total{kind=\"generated\",tenant=\"other\"}"), 15);
  EXPECT_EQ(server.metric("quire_tenant_tokens_total{kind=\"generated\",tenant=\"key-64\"}"), -1);
}

}  // namespace
}  // namespace quire
