// What a server says when it is ready: see greeting.h.
#include "apps/greeting.h"

#include <fmt/format.h>

#include "base/json.h"
#include "terminal/terminal.h"

namespace quire {
namespace {

std::string url(const Greeting& greeting, std::string_view host) {
  const bool is_ipv6 = host.find(':') != std::string_view::npos;
  return fmt::format("{}://{}{}{}:{}", greeting.certificate.empty() ? "http" : "https",
                     is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", greeting.port);
}

// An address that a client on this machine can use: "every interface" is not one.
std::string local_url(const Greeting& greeting) {
  const bool is_any = greeting.host == "0.0.0.0" || greeting.host == "::";
  return url(greeting, is_any ? "127.0.0.1" : greeting.host);
}

// One shell word.
std::string quoted(std::string_view text) {
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') word += "'\\'";
    word += c;
  }
  return word + "'";
}

// A first request: where it goes and what it asks.
struct Trial {
  const char* path;
  const char* fields;
};

Trial trial_of(const GreetedModel& model) {
  if (model.is_chat) {
    return {"v1/chat/completions", R"("messages": [{"role": "user", "content": "Hello!"}])"};
  }
  if (model.summary.vector_width == 0) {
    return {"v1/completions", R"("prompt": "Once upon a time")"};
  }
  if (!model.summary.is_classifier) return {"v1/embeddings", R"("input": "Hello!")"};
  return model.summary.vector_width == 1
             ? Trial{"rerank", R"("query": "Hello!", "documents": ["Good morning", "A dog"])"}
             : Trial{"classify", R"("input": "Hello!")"};
}

// The curl command in parts: a person reads them in lines of their own.
std::vector<std::string> curl_parts(const Greeting& greeting) {
  const bool has_models = !greeting.models.empty() || !greeting.later.empty();
  std::vector<std::string> parts;
  const auto add_access = [&] {
    if (!greeting.certificate.empty()) parts.push_back("--cacert " + quoted(greeting.certificate));
    if (greeting.needs_key) parts.emplace_back("-H 'Authorization: Bearer YOUR_KEY'");
  };
  if (!has_models) {  // a repository whose models come by orders
    parts.push_back(fmt::format("curl {}/v1/models", local_url(greeting)));
    add_access();
    return parts;
  }
  const GreetedModel model = greeting.models.empty()
                                 ? GreetedModel{.name = greeting.later.front()}
                                 : greeting.models.front();
  const std::string name = dump(Json(model.name));
  const Trial trial = trial_of(model);
  parts = {fmt::format("curl {}/{}", local_url(greeting), trial.path),
           "-H 'Content-Type: application/json'"};
  add_access();
  parts.push_back("-d " + quoted(fmt::format("{{\"model\": {}, {}}}", name, trial.fields)));
  return parts;
}

std::string vector_text(const ModelSummary& m) {
  if (!m.is_classifier) return fmt::format("a vector of {} values for each text", m.vector_width);
  return fmt::format("{} score{} for each text", m.vector_width, m.vector_width == 1 ? "" : "s");
}

std::string model_lines(const GreetedModel& model) {
  const ModelSummary& m = model.summary;
  if (m.vector_width > 0) {  // whose KV is that of one step
    return fmt::format("  model    {}: {}, {}\n  texts    of up to {} tokens; {}\n", model.name,
                       m.architecture, model_size_text(m), grouped(m.context_max), vector_text(m));
  }
  return fmt::format("  model    {}: {}, {}\n  context  {} tokens; KV room for {} tokens ({})\n",
                     model.name, m.architecture, model_size_text(m), grouped(m.context_max),
                     grouped(m.kv_tokens), size_text(m.kv_bytes));
}

std::string machine_line(const ModelSummary& m) {
  return fmt::format("  machine  {}, {} thread{}, {}\n", m.isa, m.threads,
                     m.threads == 1 ? "" : "s", m.processor);
}

void append_model(const GreetedModel& model, std::string& page) {
  const ModelSummary& m = model.summary;
  page += model_lines(model);
  page += fmt::format("  a step   at most {} sequences, {} tokens{}\n", m.rows_max,
                      grouped(m.tokens_max),
                      m.instances == 1 ? "" : fmt::format("; {} instances", m.instances));
  if (model.is_chat || m.vector_width > 0) return;
  page += "  chat     no: this model has no chat template\n";
}

}  // namespace

std::string model_size_text(const ModelSummary& summary) {
  const auto count = static_cast<double>(summary.parameters);
  const std::string parameters = count >= 1e9   ? fmt::format("{:.2f} billion", count / 1e9)
                                 : count >= 1e6 ? fmt::format("{:.1f} million", count / 1e6)
                                                : grouped(summary.parameters);
  return fmt::format("{} parameters, {}", parameters, size_text(summary.weight_bytes));
}

std::string model_record(const GreetedModel& model) {
  const ModelSummary& m = model.summary;
  return fmt::format(
      "model name={} architecture={} parameters={} weight_bytes={} context={} kv_tokens={} "
      "kv_bytes={} kv_types={} activations={} activations_asked={} sequences_max={} "
      "step_tokens_max={} instances={} isa={} isa_reason={} threads={} processor={} chat={} "
      "vector_width={}",
      dump(Json(model.name)), m.architecture, m.parameters, m.weight_bytes, m.context_max,
      m.kv_tokens, m.kv_bytes, dump(Json(m.kv_types)),
      m.has_asked_activations ? "as-asked" : "float", dump(Json(m.asked_activations)), m.rows_max,
      m.tokens_max, m.instances, m.isa, dump(Json(m.isa_reason)), m.threads,
      dump(Json(m.processor)), model.is_chat, m.vector_width);
}

std::string model_page(const GreetedModel& model) {
  return model_lines(model) + machine_line(model.summary);
}

std::string greeting_page(const Greeting& greeting) {
  std::string page = fmt::format("\n{} is ready on {}\n\n", greeting.version,
                                 url(greeting, greeting.host));
  for (const GreetedModel& model : greeting.models) append_model(model, page);
  for (const std::string& name : greeting.later) {
    page += fmt::format("  model    {}: loaded at first use\n", name);
  }
  if (greeting.models.empty() && greeting.later.empty()) page += "  model    none yet\n";
  if (!greeting.models.empty()) {
    const ModelSummary& first = greeting.models.front().summary;
    page += machine_line(first);
    page += fmt::format("  kernels  {}: {}\n", first.isa, first.isa_reason);
  }
  page += fmt::format("  loaded   in {:.2f} s\n\nTry it from another terminal:\n\n",
                      greeting.load_seconds);
  std::string separator = "  ";
  for (const std::string& part : curl_parts(greeting)) {
    page += separator + part;
    separator = " \\\n    ";
  }
  return page + "\n\nCtrl-C ends the server.\n\n";
}

std::vector<std::string> greeting_records(const Greeting& greeting) {
  std::vector<std::string> records;
  for (const GreetedModel& model : greeting.models) records.push_back(model_record(model));
  for (const std::string& name : greeting.later) {
    records.push_back(fmt::format("model name={} state=unloaded", dump(Json(name))));
  }
  std::string curl;
  for (const std::string& part : curl_parts(greeting)) curl += (curl.empty() ? "" : " ") + part;
  records.push_back(fmt::format("ready url={} version={} load_seconds={:.2f}",
                                url(greeting, greeting.host), dump(Json(greeting.version)),
                                greeting.load_seconds));
  records.push_back("try: " + curl);
  return records;
}

}  // namespace quire
