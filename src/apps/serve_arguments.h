// ServeArguments: the flags of `quire serve`, and how they are spread over several models: names,
// tokenizers and templates pair up with the models in order, everything else holds for each.
// Plain values; main thread. Used by serve.
#pragma once

#include <string>
#include <vector>

#include "apps/model_arguments.h"
#include "apps/traces/otel_environment.h"
#include "host/model_shelf.h"
#include "host/repository/folder_repository.h"
#include "serve/server.h"

namespace quire {

struct ServeArguments {
  std::vector<std::string> models;      // none: the default model
  std::vector<std::string> names;       // --served-model-name
  std::vector<std::string> aliases;     // --model-alias: ALIAS=NAME
  std::vector<std::string> tokenizers;  // --tokenizer
  std::vector<std::string> templates;   // --chat-template
  std::vector<std::string> adapters;    // --adapter, of the one model
  std::vector<std::string> tool_call_parsers, reasoning_parsers;  // --tool-call-parser, ...
  std::string template_kwargs;          // --default-chat-template-kwargs: a JSON object
  bool serves_store = false;            // --serve-store
  std::vector<std::string> repositories;       // --model-repository
  std::string control_mode = "none";           // --model-control-mode
  std::vector<std::string> repository_models;  // --load-model
  int repository_poll_secs = 15;               // --repository-poll-secs
  std::vector<std::string> cache_config;       // --cache-config: local,size=BYTES
  std::string response_cache_size;             // --response-cache-byte-size
  bool has_auto_tool_choice = true;     // --enable-auto-tool-choice: vLLM's flag; always so here
  ModelArguments common;                // what holds for each model
  std::string load = "first";           // --load: all, first, none
  std::string keep_alive = "-1";        // --keep-alive
  std::string model_memory;             // --model-memory; empty: no bound
  std::string response_store;           // --response-store; empty: in the user's data directory
  int response_store_rows = 100'000;                // --response-store-max-rows
  std::string response_store_bytes = "1GiB";        // --response-store-max-bytes
  std::string response_store_age = "720h";          // --response-store-max-age
  ServerOptions server;
  int grpc_port = -1;                   // --grpc-port; -1: none
  std::string unknown_fields = "error";
  std::string metrics_names = "quire";
  std::string hidden_metrics_version;
  int drain_timeout_s = 0;              // --drain-timeout; 0: no bound
  std::string volatile_lines = "normalise";
  TraceArguments traces;                // --otlp-traces-endpoint, --otlp-service-name
  std::vector<std::string> tgi_limits;  // --tgi-limits: NAME=VALUE
  std::string log_level = "info";
};

void declare_serve_flags(Command& command, ServeArguments& arguments);

// One model with the names that requests may call it.
struct NamedModel {
  ModelArguments arguments;
  std::vector<std::string> names;
};

// One model may have several names. Of several models each has one: its --served-model-name, or its
// file's name without the ending. "*" stands for any name: the model keeps the one of its file
// beside it. --model-alias gives further names. A tokenizer or template "-" is the model's own.
// kInvalidArgument: the counts differ, two models have one name, an alias is of no model, or there
// are adapters for several models.
Result<std::vector<NamedModel>> pair_models(const ServeArguments& arguments);

// kInvalidArgument: not one share for each API key.
Status check_shares(const ServeArguments& arguments);

// --tgi-limits: what clients of TGI's protocol may ask for. kInvalidArgument: the sentence says
// which names there are.
Status set_client_limits(ServeArguments& arguments);

// Bytes of answers to repeated requests. kInvalidArgument: there is no such cache or setting.
Status set_response_cache(ServeArguments& arguments);

// What the server keeps of its answers, and where.
Status set_archive(ServeArguments& arguments);

Result<ShelfOptions> shelf_options(const ServeArguments& arguments);

// kInvalidArgument: a flag of the repository without one, or --load-model in another mode.
Result<RepositoryOptions> repository_options(const ServeArguments& arguments);

}  // namespace quire
