// What a server says when it is ready: the model and its size, context and KV room, instruction set
// and threads, the address, and a curl line to try. For a person at a terminal it is a page; for a
// log the same facts are records of key=value.
// Pure functions; main thread. Used by serve, and by run for the facts of its model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quire {

// What a person wants to know of a loaded model.
struct ModelSummary {
  std::string architecture;
  std::uint64_t parameters = 0;
  std::uint64_t weight_bytes = 0;
  std::uint32_t context_max = 0;
  std::uint32_t instances = 1;  // each with weights of its own
  std::uint64_t kv_tokens = 0;  // that fit into the KV memory of all of them
  std::uint64_t kv_bytes = 0;
  std::string kv_types;            // "F16", "I8 keys, Q4_1 values"
  std::string asked_activations;   // of a quantized checkpoint; empty: it asks for none
  bool has_asked_activations = false;  // they are as asked; else floats
  std::uint32_t vector_width = 0;  // of what reads texts and generates nothing; 0: it generates
  bool is_classifier = false;      // the vector is the scores of labels
  std::uint32_t rows_max = 0;   // sequences per step of an instance
  std::uint32_t tokens_max = 0;
  std::string isa;
  std::string isa_reason;  // why this one, of those that the processor has
  int threads = 0;
  std::string processor;
};

struct GreetedModel {
  std::string name;  // as requests call it
  bool is_chat = false;
  ModelSummary summary;
};

struct Greeting {
  std::string version;  // "quire 0.1.0"
  std::string host;     // as it was asked for
  int port = 0;
  bool needs_key = false;
  std::string certificate;  // its file; empty: plain HTTP
  double load_seconds = 0;
  std::vector<GreetedModel> models;  // in memory
  std::vector<std::string> later;    // names of those that are loaded at first use
};

// The facts of one model, for a log.
std::string model_record(const GreetedModel& model);

std::string greeting_page(const Greeting& greeting);
std::vector<std::string> greeting_records(const Greeting& greeting);

// The facts of one model, for a person: size, context and machine in three lines.
std::string model_page(const GreetedModel& model);

// "134.5 million parameters, 92.1 MiB"
std::string model_size_text(const ModelSummary& summary);

}  // namespace quire
