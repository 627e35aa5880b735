// What the endpoints share that answer with vectors of texts: the model with the skill that is
// asked for, how texts are cut, the forms in which a client writes inputs and would have vectors,
// and the answer, which is whole once every vector is there.
// The reading: pure; worker threads. PooledAnswer: one call; I/O thread. Used by embeddings, and
// by vLLM's endpoints of models that pool.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "serve/answer/vector_text.h"
#include "serve/answer/vectors.h"
#include "serve/call.h"
#include "serve/intake/fields.h"
#include "serve/intake/pooled_prompt.h"
#include "serve/intake/skills.h"

namespace quire {

inline constexpr std::size_t kPooledInputsMax = 2048;
inline constexpr std::size_t kPooledInFlightMax = 128;  // of one call; the rest follows

// A model that may be left out where one is served; mistakes go to fields.error(). Without a model
// that has the skill the result has none.
PooledTexts read_pooled_texts(Fields& fields, const DialectContext& context, Skill skill);

// "float" or "base64", and of base64 the type and order.
VectorForm read_vector_form(Fields& fields);

// A call of so many requests, without a writer.
Call pooled_call(const DialectContext& context, const PooledTexts& texts,
                 std::vector<std::vector<TokenId>> inputs);

// The end of a parser: "input" (a text, token ids, or a list of either) or "messages", where the
// model has a template, then what nobody read, which goes to `ignored` where it is no mistake.
// `before` stands in front of texts. A call without a writer.
Parsed<Call> read_pooled_call(Fields& fields, const DialectContext& context,
                              const PooledTexts& texts, std::string_view before,
                              std::vector<std::string>& ignored);

class PooledAnswer : public AnswerWriter {
 public:
  PooledAnswer(const ModelLease& model, std::size_t requests, std::string_view id_prefix,
               std::vector<std::string> ignored);

  std::string_view id() const override { return id_; }
  void take(std::size_t prompt, const TokenEvent& event, std::string&) override {
    vectors_.take(prompt, event);
  }
  void fail(const ApiError&, std::string&) override {}  // never a stream: it has not begun

 protected:
  Json head(std::string_view object) const;  // id, object, created, model
  Json usage() const;                        // prompt_tokens and total_tokens
  // The object without its end, the text of one more member, and what else it has.
  void append_body(Json head, std::string_view name, std::string_view list, std::string& out) const;

  // Keeps no lease: the call has one.
  const PooledInfo info_;
  PooledVectors vectors_;

 private:
  std::string id_;
  std::int64_t created_;
  std::string model_name_;
  std::vector<std::string> ignored_;  // fields that nobody knows
};

}  // namespace quire
