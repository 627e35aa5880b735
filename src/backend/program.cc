#include "backend/program.h"

#include <algorithm>

#include "base/check.h"

namespace quire {

void Program::linear(const Buffer& x, std::initializer_list<Product> products,
                     const Buffer* routing) {
  QUIRE_CHECK(products.size() > 0 && products.size() <= std::size_t{kProductsMax},
              "{} products of one input; 1 to {} are possible", products.size(), kProductsMax);
  LinearOp& op = std::get<LinearOp>(ops_.emplace_back(std::in_place_type<LinearOp>));
  op.x = &x;
  std::copy(products.begin(), products.end(), op.products.begin());
  op.count = static_cast<int>(products.size());
  op.routing = routing;
}

}  // namespace quire
