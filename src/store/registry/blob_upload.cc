#include "store/registry/blob_upload.h"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>
#include <optional>

#include "net/url.h"

namespace quire::store {
namespace {

constexpr std::uint64_t kPartsWanted = 16;
constexpr int kFailuresMax = 1000;  // of one blob, whatever they bring
constexpr int kPiecesMax = 1000;    // likewise
constexpr const char* kBytes = "application/octet-stream";

// "0-1023": how many bytes a registry has of what was begun. "0-0" is how it says none.
std::optional<std::uint64_t> bytes_there(const net::Response& response) {
  std::string_view range = response.header("range");
  if (constexpr std::string_view kUnit = "bytes="; range.starts_with(kUnit)) {
    range.remove_prefix(kUnit.size());
  }
  constexpr std::string_view kBegin = "0-";
  if (!range.starts_with(kBegin)) return std::nullopt;
  range.remove_prefix(kBegin.size());
  std::uint64_t last = 0;
  const auto [end, problem] = std::from_chars(range.data(), range.data() + range.size(), last);
  if (problem != std::errc() || end != range.data() + range.size()) return std::nullopt;
  return last == 0 ? 0 : last + 1;
}

// MD5 of bytes that are read from the beginning to the end; stores that keep parts name them so.
class Md5 {
 public:
  Md5() { reset(); }

  void take(std::uint64_t offset, std::span<const std::byte> bytes) {
    if (offset == 0) reset();
    is_good_ = is_good_ && offset == next_ &&
               EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
    next_ = offset + bytes.size();
  }
  // 16 bytes; empty: not known.
  std::string finish() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    is_good_ = is_good_ && EVP_DigestFinal_ex(context_.get(), digest, &size) == 1;
    return is_good_ ? std::string(digest, digest + size) : std::string();
  }

 private:
  void reset() {
    next_ = 0;
    is_good_ = EVP_DigestInit_ex(context_.get(), EVP_md5(), nullptr) == 1;
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free};
  std::uint64_t next_ = 0;
  bool is_good_ = false;
};

// How one request went.
struct Step {
  Status status;
  bool may_pass = false;  // worth another try
  std::optional<net::Response> response;
};

class BlobUpload {
 public:
  BlobUpload(RegistrySession& session, const UploadPlan& plan, const BlobSource& blob,
             const std::function<void(std::uint64_t)>& advance)
      : session_(session), plan_(plan), blob_(blob), advance_(advance),
        base_(session.base() + "/v2/" + plan.repository + "/blobs/"),
        part_bytes_(std::clamp(blob.size / kPartsWanted, plan.part_bytes_min,
                               plan.part_bytes_max)) {}

  Status run();

 private:
  Step look();
  Step begin();
  Step send_part();
  Step send_to_redirect();
  Step commit();
  void find_place();
  void move_to(std::uint64_t at);
  bool is_stopped() const {
    return session_.limits().stop != nullptr && session_.limits().stop->load();
  }

  Step failed(const Result<net::Response>& response) const;
  Status check_digest(const net::Response& response) const;
  net::Upload part(const char* method);
  std::uint64_t part_end() const { return std::min(at_ + part_bytes_, blob_.size); }
  std::string name() const { return blob_.digest().substr(0, 19); }
  void part_is_there(const std::string& next);

  RegistrySession& session_;
  const UploadPlan& plan_;
  const BlobSource& blob_;
  const std::function<void(std::uint64_t)>& advance_;
  const std::string base_;
  const std::uint64_t part_bytes_;

  std::string place_;         // where the next part goes; empty: not begun
  std::string redirect_, next_;  // where this part goes instead, and then the next one
  std::uint64_t at_ = 0;      // bytes that the registry has
  std::uint64_t best_ = 0;    // the most that it ever had
  bool is_done_ = false;
  Md5 md5_;                   // of the part under way
  std::string md5_of_parts_;
  std::size_t parts_ = 0;
  int pieces_ = 0;            // of parts that were not taken whole
  bool has_whole_parts_ = true;
};

Status BlobUpload::run() {
  if (const Step step = look(); !step.status.is_ok()) return step.status;
  int failures = 0, failures_of_all = 0;
  std::uint64_t best = 0;  // when something failed for the last time
  while (!is_done_) {
    if (is_stopped()) return error(StatusCode::kUnavailable, "the push was stopped");
    const Step step = place_.empty()          ? begin()
                      : !redirect_.empty()    ? send_to_redirect()
                      : at_ < blob_.size      ? send_part()
                                              : commit();
    if (step.status.is_ok()) continue;
    failures = best_ > best ? 1 : failures + 1;
    best = best_;
    const auto pause = net::wait_before_retry(session_.limits(), failures,
                                              step.response ? &*step.response : nullptr);
    if (!step.may_pass || !pause || ++failures_of_all == kFailuresMax) return step.status;
    if (net::sleep_unless_stopped(session_.limits(), *pause)) find_place();
  }
  advance_(blob_.size);
  return ok_status();
}

void BlobUpload::move_to(std::uint64_t at) {
  at_ = at;
  best_ = std::max(best_, at);
  advance_(at_);
}

Step BlobUpload::failed(const Result<net::Response>& response) const {
  if (!response.is_ok()) {
    const bool may_pass = response.status().code() == StatusCode::kUnavailable;
    if (!may_pass) return {.status = response.status()};
    return {.status = error(StatusCode::kUnavailable, "cannot push {}: {}", name(),
                            response.status().message()),
            .may_pass = true};
  }
  // 404: it knows nothing of what was begun (any more); 416: it is elsewhere.
  return {.status = session_.explain(*response, "the blob " + name()),
          .may_pass = response->is_passing() ||
                      (!place_.empty() && (response->status == 404 || response->status == 416)),
          .response = *response};
}

Status BlobUpload::check_digest(const net::Response& response) const {
  const std::string_view said = response.header("docker-content-digest");
  if (said.empty() || said == blob_.digest()) return ok_status();
  return error(StatusCode::kCorrupt, "the registry {} says that it has {} in place of {}",
               session_.host(), said.substr(0, 80), blob_.digest());
}

Step BlobUpload::look() {
  const auto response = session_.look(base_ + blob_.digest());
  if (!response.is_ok()) return failed(response);
  if (response->status == 404 || response->status == 405) return {};
  if (!response->is_success()) return failed(response);
  const std::string_view size = response->header("content-length");
  const bool is_whole = size.empty() || size == "0" || size == std::to_string(blob_.size);
  if (!is_whole) {
    return {.status = error(StatusCode::kCorrupt, "the registry {} says that {} has {} bytes; it "
                            "has {}", session_.host(), blob_.digest(), size.substr(0, 20),
                            blob_.size)};
  }
  is_done_ = true;
  return {.status = check_digest(*response)};
}

Step BlobUpload::begin() {
  std::string url = base_ + "uploads/";
  if (!plan_.mount_from.empty()) {
    url += "?from=" + net::url_escaped(plan_.mount_from) +
           "&mount=" + net::url_escaped(blob_.digest());
  }
  const auto response =
      session_.send({.url = url, .upload = net::Upload{.method = "POST", .type = kBytes}});
  if (!response.is_ok() || !response->is_success()) return failed(response);
  if (response->status == 201 && !plan_.mount_from.empty()) {  // it was taken over from there
    is_done_ = true;
    return {.status = check_digest(*response)};
  }
  const auto place = session_.place(*response, url);
  if (!place.is_ok()) return {.status = place.status()};
  place_ = *place;
  at_ = parts_ = 0;
  md5_of_parts_.clear();
  has_whole_parts_ = true;
  return {};
}

net::Upload BlobUpload::part(const char* method) {
  return {.method = method, .type = kBytes, .size = part_end() - at_,
          .read = [this, from = at_](std::uint64_t offset, std::span<std::byte> into) {
            const Status status = blob_.read(from + offset, into);
            md5_.take(offset, into);
            advance_(from + offset + into.size());
            return status;
          }};
}

void BlobUpload::part_is_there(const std::string& next) {
  const std::string sum = md5_.finish();
  has_whole_parts_ = has_whole_parts_ && !sum.empty();
  md5_of_parts_ += sum;
  ++parts_;
  place_ = next;
  move_to(part_end());
}

Step BlobUpload::send_part() {
  const auto response = session_.send(
      {.url = place_,
       .headers = {fmt::format("Content-Range: {}-{}", at_, part_end() - 1),
                   "X-Redirect-Uploads: 1"},
       .upload = part("PATCH")});
  const bool is_elsewhere =
      response.is_ok() && (response->status == 307 || response->status == 308);
  if (is_elsewhere) {
    const auto there = session_.resolve(place_, response->header("location"));
    const auto next = session_.place(*response, place_);
    if (!there.is_ok()) return {.status = there.status()};
    if (!next.is_ok()) return {.status = next.status()};
    redirect_ = *there;
    next_ = *next;
    return {};
  }
  if (!response.is_ok() || !response->is_success()) return failed(response);
  const auto place = session_.place(*response, place_);
  if (!place.is_ok()) return {.status = place.status()};
  const auto there = bytes_there(*response);
  if (there && *there > at_ && *there < part_end()) {  // it took a piece only
    if (++pieces_ == kPiecesMax) {
      return {.status = error(StatusCode::kUnavailable, "the registry {} took {} pieces of {} and "
                              "never a part as it was sent", session_.host(), pieces_, name())};
    }
    has_whole_parts_ = false;
    place_ = *place;
    move_to(*there);
    return {};
  }
  part_is_there(*place);
  return {};
}

Step BlobUpload::send_to_redirect() {
  const auto response = session_.send({.url = redirect_, .upload = part("PUT")});
  redirect_.clear();  // what is given out for a while may have ended: another is asked for
  if (!response.is_ok() || !response->is_success()) {
    Step step = failed(response);
    if (response.is_ok()) {  // of whoever this is nothing but the number is told
      step.status = error(StatusCode::kUnavailable, "the place that the registry {} named for {} "
                          "answered {}", session_.host(), name(), response->status);
      step.may_pass = response->status / 100 != 3;
    }
    return step;
  }
  part_is_there(next_);
  return {};
}

Step BlobUpload::commit() {
  std::string url = place_ + (place_.find('?') == place_.npos ? '?' : '&') +
                    "digest=" + net::url_escaped(blob_.digest());
  if (has_whole_parts_ && parts_ > 0) {
    Md5 all;
    all.take(0, std::as_bytes(std::span(md5_of_parts_)));
    url += "&etag=";
    for (const char c : all.finish()) url += fmt::format("{:02x}", static_cast<unsigned char>(c));
    url += "-" + std::to_string(parts_);
  }
  const auto response = session_.send({.url = url, .upload = net::Upload{.type = kBytes}});
  if (!response.is_ok() || !response->is_success()) return failed(response);
  is_done_ = true;
  return {.status = check_digest(*response)};
}

// After a failure: how far the registry is. What it does not tell is sent once more.
void BlobUpload::find_place() {
  if (place_.empty()) return;
  if (!next_.empty()) return advance_(at_);  // parts lie elsewhere, where nobody is asked
  const auto response = session_.send({.url = place_});
  const bool is_lost = response.is_ok() && response->status == 404;
  if (is_lost) {  // or it was complete, and its answer was lost
    const Step step = look();
    if (!step.status.is_ok() || is_done_) return;
    place_.clear();
    return move_to(0);
  }
  if (!response.is_ok() || !response->is_success()) return advance_(at_);
  const auto there = bytes_there(*response);
  if (there && *there != at_ && *there <= blob_.size) {
    has_whole_parts_ = false;
    move_to(*there);
  }
  const auto place = session_.place(*response, place_);
  if (place.is_ok()) place_ = *place;
}

}  // namespace

Status upload_blob(RegistrySession& session, const UploadPlan& plan, const BlobSource& blob,
                   const std::function<void(std::uint64_t)>& advance) {
  return BlobUpload(session, plan, blob, advance).run();
}

}  // namespace quire::store
