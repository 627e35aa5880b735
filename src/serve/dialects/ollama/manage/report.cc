#include "serve/dialects/ollama/manage/report.h"

#include <utility>

namespace quire {

Report::Report(const House& house, std::shared_ptr<http::Exchange> exchange, bool is_stream,
               std::shared_ptr<std::atomic<bool>> is_gone)
    : to_io_(house.to_io), exchange_(std::move(exchange)), is_stream_(is_stream),
      is_gone_(std::move(is_gone)) {}

void Report::line(Json json) const {
  if (!is_stream_) return;
  to_io_([exchange = exchange_, is_gone = is_gone_, text = dump(json) + "\n"] {
    if (!exchange->is_gone() && !exchange->write(text)) *is_gone = true;
  });
}

void Report::end(const Json& json, int status) {
  to_io_([exchange = std::move(exchange_), json, status, is_stream = is_stream_] {
    if (exchange->is_gone()) return;
    if (!is_stream) {
      return exchange->respond({.status = status,
                                .content_type = "application/json; charset=utf-8",
                                .body = dump(json)});
    }
    if (exchange->write(dump(json) + "\n")) exchange->finish();
  });
}

void begin_report(http::Exchange& exchange, bool is_stream,
                  std::shared_ptr<std::atomic<bool>> is_gone) {
  exchange.on_gone([is_gone = std::move(is_gone)] { *is_gone = true; });
  if (!is_stream) return;
  exchange.start({.content_type = "application/x-ndjson",
                  .headers = {{"cache-control", "no-cache"}}});
}

Json progress_json(const std::string& status, const std::string& hex, std::uint64_t total,
                   std::uint64_t completed) {
  Json line = Json::object({{"status", status}});
  if (hex.empty()) return line;
  line.set("digest", "sha256:" + hex);
  line.set("total", total);
  if (completed > 0) line.set("completed", completed);
  return line;
}

}  // namespace quire
