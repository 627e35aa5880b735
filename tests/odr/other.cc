// The other half of the violation that one.cc plants.
#include <vector>

namespace quire {

struct PlantedRequest {
  ~PlantedRequest() {}
  int status = 0;
  std::vector<char> body;
};

std::size_t planted_other() {
  PlantedRequest request;
  return request.body.size();
}

}  // namespace quire
