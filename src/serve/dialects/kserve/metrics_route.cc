#include "serve/dialects/kserve/metrics_route.h"

#include "serve/dialects/kserve/routes.h"
#include "serve/house.h"

namespace quire {
namespace {

http::Response show_metrics(const DialectContext& context, const http::Request&) {
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
          .body = context.house->metrics.text(true, context.house->repository)};
}

constexpr Route kMetricsRoutes[] = {
    {"GET", "/metrics", BodyKind::kNone, Access::kOpen, {.quick = show_metrics}},
    {"GET", "/metrics/", BodyKind::kNone, Access::kOpen, {.quick = show_metrics}},
};

}  // namespace

const Dialect kMetricsDialect = {.name = "metrics",
                                 .routes = kMetricsRoutes,
                                 .error_prefix = "/",
                                 .render_error = render_kserve_error};

}  // namespace quire
