#include "host/model_host.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "engine/testing/script_executor.h"

namespace quire {
namespace {

HostedModel named(std::vector<std::string> names) {
  HostedModel model;
  model.names = std::move(names);
  return model;
}

std::unique_ptr<Engine> make_script_engine(EventSink sink) {
  ScriptOptions script{.capacity = script_capacity(16)};
  return std::make_unique<Engine>(EngineOptions{},
                                  std::make_unique<ScriptExecutor>(std::move(script)), nullptr,
                                  std::move(sink));
}

Request small_request(std::uint64_t id) {
  Request request;
  request.id = RequestId{id};
  request.prompt = {1, 2, 3};
  request.params.tokens_max = 2;
  request.params.ignore_eos = true;
  return request;
}

TEST(ModelHostTest, ModelsAreFoundByEveryNameAndNamesAreUnique) {
  ModelHost host;
  ASSERT_TRUE(host.add(named({"a", "b"}), make_script_engine).is_ok());
  ASSERT_TRUE(host.add(named({"c"}), make_script_engine).is_ok());
  EXPECT_EQ(host.find("a"), host.find("b"));
  EXPECT_NE(host.find("a"), host.find("c"));
  EXPECT_EQ(host.find("d"), nullptr);
  EXPECT_EQ(host.models().size(), 2u);
  EXPECT_EQ(host.add(named({"d", "b"}), make_script_engine).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(host.add(named({}), make_script_engine).code(), StatusCode::kInvalidArgument);
}

TEST(ModelHostTest, EventsGoToTheListenerUntilThereIsNone) {
  ModelHost host;
  ASSERT_TRUE(host.add(named({"m"}), make_script_engine).is_ok());
  std::mutex mutex;
  std::condition_variable arrived;
  std::size_t ended = 0;
  host.listen([&](StepEvents step) {
    const std::lock_guard lock(mutex);
    for (const TokenEvent& event : step.events) ended += event.is_last ? 1 : 0;
    arrived.notify_all();
  });
  Engine& engine = *host.models().front()->engine;
  ASSERT_TRUE(engine.submit(small_request(1)).is_ok());
  {
    std::unique_lock lock(mutex);
    arrived.wait(lock, [&] { return ended == 1; });
  }
  host.listen(nullptr);
  ASSERT_TRUE(engine.submit(small_request(2)).is_ok());
  while (!host.is_idle()) {
  }
  EXPECT_EQ(ended, 1u) << "nobody was told of the second";
}

TEST(ModelHostTest, DrainingReachesEveryEngine) {
  ModelHost host;
  ASSERT_TRUE(host.add(named({"a"}), make_script_engine).is_ok());
  ASSERT_TRUE(host.add(named({"b"}), make_script_engine).is_ok());
  host.drain();
  for (const auto& model : host.models()) {
    EXPECT_EQ(model->engine->submit(small_request(1)).code(), StatusCode::kUnavailable);
  }
}

}  // namespace
}  // namespace quire
