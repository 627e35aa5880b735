// ChatTemplate over the crate.
#include "text/chat_template.h"

#include <algorithm>

#include "text/rust_boundary.h"

namespace quire {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

Result<std::shared_ptr<const ChatTemplate>> ChatTemplate::compile(std::string_view source) {
  QuireTemplate* raw = nullptr;
  QUIRE_RETURN_IF_ERROR(
      rust::to_status(quire_template_new(rust::bytes_of(source), source.size(), &raw)));
  std::shared_ptr<ChatTemplate> chat_template(new ChatTemplate(raw));
  rust::Buffer variables;
  QUIRE_RETURN_IF_ERROR(rust::to_status(quire_template_variables(raw, variables.out())));
  chat_template->variables_ = lines_of(variables.text());
  return std::shared_ptr<const ChatTemplate>(std::move(chat_template));
}

ChatTemplate::~ChatTemplate() { quire_template_free(raw_); }

Result<std::string> ChatTemplate::render(std::string_view context,
                                         const RenderLimits& limits) const {
  const QuireRenderLimits raw_limits = {limits.steps_max, limits.output_size_max,
                                        limits.unix_seconds};
  rust::Buffer text;
  QUIRE_RETURN_IF_ERROR(rust::to_status(quire_template_render(
      raw_, rust::bytes_of(context), context.size(), raw_limits, text.out())));
  return std::string(text.text());
}

bool ChatTemplate::has_variable(std::string_view name) const {
  return std::binary_search(variables_.begin(), variables_.end(), name);
}

}  // namespace quire
