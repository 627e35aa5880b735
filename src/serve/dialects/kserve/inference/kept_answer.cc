#include "serve/dialects/kserve/inference/kept_answer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "serve/house.h"

namespace quire {
namespace {

constexpr std::size_t kAnswerMax = std::size_t{4} << 20;  // bytes; a hit is computed by nobody

void append_part(std::string_view part, std::string& text) {
  append_element(static_cast<std::uint64_t>(part.size()), text);
  text += part;
}

// Parameters that say when, not what.
bool is_of_scheduling(std::string_view name) {
  return name == "priority" || name == "timeout" || name == "triton_enable_empty_final_response";
}

std::size_t bytes_of(const InferResponse& response) {
  std::size_t bytes = response.model.size() + response.version.size() + response.details.size() +
                      response.token.size();
  for (const NamedTensor& output : response.outputs) {
    bytes += output.name.size() + output.shape.size() * sizeof(std::int64_t) + output.bytes.size();
  }
  for (const auto& [name, value] : response.parameters.all()) {
    const std::string* words = std::get_if<std::string>(&value);
    bytes += name.size() + sizeof value + (words == nullptr ? 0 : words->size());
  }
  return bytes;
}

}  // namespace

std::string question_text(const DialectContext& context, const InferRequest& request,
                          const InferTerms& terms, bool has_queues) {
  std::string text;
  append_part(context.tenant.name, text);
  append_part(terms.has_details ? "details" : "", text);
  std::vector<const NamedTensor*> inputs;
  for (const NamedTensor& input : request.inputs) inputs.push_back(&input);
  std::sort(inputs.begin(), inputs.end(), [](auto* a, auto* b) { return a->name < b->name; });
  append_element(static_cast<std::uint64_t>(inputs.size()), text);
  for (const NamedTensor* input : inputs) {
    append_part(input->name, text);
    append_part(tensor_type_info(input->type).name, text);
    append_part(shape_text(input->shape), text);
    append_part(input->bytes, text);
  }
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const auto& [name, value] : request.parameters.all()) {
    // Of a queue's settings the answer tells which did nothing.
    if (is_of_scheduling(name) && !has_queues) continue;
    parameters.emplace_back(name, dump(std::visit([](const auto& it) { return Json(it); }, value)));
  }
  std::sort(parameters.begin(), parameters.end());
  append_element(static_cast<std::uint64_t>(parameters.size()), text);
  for (const auto& [name, value] : parameters) {
    append_part(name, text);
    append_part(value, text);
  }
  std::vector<std::string> outputs;
  for (const RequestedOutput& output : request.outputs) outputs.push_back(output.name);
  std::sort(outputs.begin(), outputs.end());
  for (const std::string& output : outputs) append_part(output, text);
  return text;
}

std::optional<CacheQuestion> cache_question(const DialectContext& context, const ModelLease& model,
                                            const InferRequest& request, const InferTerms& terms) {
  const House* house = context.house;
  if (house == nullptr || house->responses == nullptr || house->repository == nullptr) {
    return std::nullopt;
  }
  const std::string& own = model->name();  // "NAME:VERSION"
  const std::string_view name = std::string_view(own).substr(0, own.rfind(':'));
  if (model->tap == nullptr || !house->repository->has_response_cache(name)) return std::nullopt;
  return CacheQuestion{.cache = house->responses,
                       .edition = {own, model->tap, model->info.fingerprint},
                       .text = question_text(context, request, terms,
                                             model->engine->batching().acts())};
}

void KeepingFormat::append(const InferResponse& response, bool is_last, std::string& out) {
  inner_->append(response, is_last, out);
  if (!question_) return;
  const Nanos start = SteadyClock::now();
  const std::size_t bytes = bytes_of(response);
  if (bytes <= kAnswerMax && question_->cache->may_hold(question_->text.size(), bytes)) {
    auto answer = std::make_shared<InferResponse>(response);
    answer->id.clear();
    question_->cache->keep(question_->edition, question_->text, std::move(answer), bytes);
  }
  question_->cache->add_miss_time(question_->edition.model, SteadyClock::now() - start);
}

void KeepingFormat::keep_for(CacheQuestion question, Nanos looked) {
  question.cache->count_miss(question.edition.model);
  question.cache->add_miss_time(question.edition.model, looked);
  question_ = std::move(question);
}

std::optional<http::Response> find_kept(const CacheQuestion& question, const AnswerHead& head,
                                        InferFormat& format, Nanos& looked) {
  const Nanos start = SteadyClock::now();
  const ResponseCache::Answer kept = question.cache->find(question.edition, question.text);
  looked = SteadyClock::now() - start;
  if (kept == nullptr) return std::nullopt;
  InferResponse response = *kept;
  response.model = head.model;
  response.version = head.version;
  response.id = head.id;
  http::Response answer{.body = ""};
  format.append(response, true, answer.body);
  format.complete_head(answer);
  question.cache->count_hit(question.edition.model, SteadyClock::now() - start);
  return answer;
}

void answer_from_cache(const DialectContext& context, CacheQuestion question,
                       const AnswerHead& head, KeepingFormat& format, Call& call) {
  Nanos looked{0};
  auto kept = find_kept(question, head, format, looked);
  if (!kept) return format.keep_for(std::move(question), looked);
  context.house->metrics.count_unknown_fields(call.unknown_fields);
  call = Call();
  call.ready = std::move(*kept);
}

}  // namespace quire
