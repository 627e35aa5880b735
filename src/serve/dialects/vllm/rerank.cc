#include "serve/dialects/vllm/rerank.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "serve/dialects/vllm/pair_scores.h"
#include "serve/intake/generation.h"

namespace quire {
namespace {

struct RerankOptions {
  std::size_t top_n = 0;  // 0: all
  bool shows_documents = true;
  bool is_activated = true;
};

class RerankAnswer : public PooledAnswer {
 public:
  RerankAnswer(const PairedCall& paired, const NamedTexts& documents, const RerankOptions& options,
               std::vector<std::string> ignored)
      : PooledAnswer(paired.call.model, paired.call.requests.size(), "rerank-",
                     std::move(ignored)),
        pairs_(paired.pairs),
        options_(options) {
    if (!options.shows_documents) return;
    documents_.assign(documents.texts.begin(), documents.texts.end());
  }

  void finish(std::string& out) override {
    const std::vector<float> scores = scores_of(info_, vectors_, pairs_, options_.is_activated);
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    if (options_.top_n > 0 && options_.top_n < order.size()) order.resize(options_.top_n);
    std::string list = "[";
    for (const std::size_t i : order) {
      if (list.size() > 1) list += ',';
      list += fmt::format(R"({{"index":{},)", i);
      if (options_.shows_documents) {
        list += R"("document":)" + dump(Json::object({{"text", documents_[i]}})) + ",";
      }
      list += fmt::format(R"("relevance_score":{}}})", scores[i]);
    }
    Json body = head("");
    body.set("meta", meta());
    append_body(std::move(body), "results", list + "]", out);
  }

 private:
  // As Cohere counts.
  Json meta() const {
    return Json::object({{"api_version", Json::object({{"version", "2"}})},
                         {"billed_units", Json::object({{"search_units", 1}})},
                         {"tokens", Json::object({{"input_tokens", vectors_.tokens()}})}});
  }

  const std::vector<PairedCall::Pair> pairs_;
  const RerankOptions options_;
  std::vector<std::string> documents_;  // where they are shown
};

NamedTexts read_query(Fields& fields) {
  NamedTexts query = read_texts(fields, "query");
  if (query.is_list) {
    fields.fail(invalid_value("query", "Invalid 'query': expected a string."));
  }
  return query;
}

}  // namespace

Parsed<Call> parse_vllm_rerank(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const PooledTexts texts = read_pooled_texts(fields, context, Skill::kScore);
  const NamedTexts query = read_query(fields);
  const NamedTexts documents = read_texts(fields, "documents");
  RerankOptions options;
  options.top_n = static_cast<std::size_t>(fields.integer("top_n", 0, kInt32Max).value_or(0));
  options.shows_documents = fields.boolean("return_documents").value_or(true);
  options.is_activated = read_activation(fields);
  constexpr NeutralField kNeutral[] = {{"max_chunks_per_doc", "null"},
                                       {"max_tokens_per_doc", "null"},
                                       {"rank_fields", "null", "[\"text\"]"}};
  fields.expect_neutral(kNeutral);
  std::vector<std::string> ignored;
  refuse_unknown(fields, context.unknown_fields_warn, ignored);
  if (fields.error()) return *fields.error();
  auto paired = pair_up(context, texts, query, documents);
  if (!paired.is_ok()) return paired.error();
  paired->call.unknown_fields = ignored.size();
  paired->call.writer =
      std::make_unique<RerankAnswer>(*paired, documents, options, std::move(ignored));
  return std::move(paired->call);
}

}  // namespace quire
