// With other.cc a planted violation of the One Definition Rule, the kind that once shipped: two
// units define one type with different layouts, and one's destructor may run on the other's
// objects. The target odr_check fails if joining these two is not refused.
#include <string>

namespace quire {

struct PlantedRequest {
  ~PlantedRequest() {}
  std::string target;
};

std::size_t planted_one() {
  PlantedRequest request;
  return request.target.size();
}

}  // namespace quire
