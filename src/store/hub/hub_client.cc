#include "store/hub/hub_client.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/json.h"
#include "net/url.h"
#include "store/human.h"

namespace quire::store {
namespace {

constexpr const char* kPublicHub = "https://huggingface.co";
constexpr std::size_t kListingBytesMax = std::size_t{32} << 20;
constexpr std::size_t kFilesMax = 20000;
constexpr std::size_t kTokenMax = 1024;
constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 42;  // 4 TiB

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_repository_path(std::string_view path) {
  while (true) {
    const std::size_t slash = path.find('/');
    if (!is_file_name(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool is_commit(std::string_view text) { return Checksum::git(text).is_ok(); }

// {"rfilename": ..., "size": ..., "blobId": git's, "lfs": {"sha256": ..., "size": ...}}
Result<HubFile> parse_sibling(const Json& sibling) {
  HubFile file;
  const Json* path = sibling.find("rfilename");
  if (path == nullptr || !path->is_string()) {
    return error(StatusCode::kCorrupt, "a file without a name");
  }
  file.path = path->as_string();
  const Json* lfs = sibling.find("lfs");
  const bool is_large = lfs != nullptr && lfs->is_object();
  const Json* size = is_large ? lfs->find("size") : sibling.find("size");
  const Json* sum = is_large ? lfs->find("sha256") : sibling.find("blobId");
  const bool has_size = size != nullptr && size->is_int() && size->as_int() >= 0;
  if (has_size && sum != nullptr && sum->is_string()) {
    file.size = static_cast<std::uint64_t>(size->as_int());
    QUIRE_ASSIGN_OR_RETURN(file.checksum, is_large ? Checksum::sha256(sum->as_string())
                                                   : Checksum::git(sum->as_string()));
  }
  return file;
}

Result<HubListing> parse_listing(std::string_view text) {
  QUIRE_ASSIGN_OR_RETURN(const Json root, parse_json(text));
  HubListing listing;
  const Json* commit = root.find("sha");
  const Json* siblings = root.find("siblings");
  if (commit == nullptr || !commit->is_string() || !is_commit(commit->as_string()) ||
      siblings == nullptr || !siblings->is_array() || siblings->items().size() > kFilesMax) {
    return error(StatusCode::kCorrupt, "it has no commit 'sha' or no list 'siblings'");
  }
  listing.commit = commit->as_string();
  for (const Json& sibling : siblings->items()) {
    QUIRE_ASSIGN_OR_RETURN(HubFile file, parse_sibling(sibling));
    if (file.size > kFileBytesMax) {
      return error(StatusCode::kCorrupt, "a file of {} bytes", file.size);
    }
    // Hidden files and names that are no file names are nothing that a model needs.
    if (is_repository_path(file.path)) listing.files.push_back(std::move(file));
  }
  return listing;
}

// The sentence for a refusal; `what` is the model as the user named it.
Status explain(const net::Response& response, const HubOptions& options, const std::string& what,
               const std::string& page) {
  const std::string host = net::host_of(options.endpoint);
  const std::string_view code = response.header("x-error-code");
  const bool has_token = !options.token.empty();
  switch (response.status) {
    case 401:
      return has_token
                 ? error(StatusCode::kInvalidArgument,
                         "{} does not accept the token in HF_TOKEN for {}: is it mistyped or "
                         "expired?", host, what)
                 : error(StatusCode::kNotFound,
                         "{} shows no {}: check the spelling; if the model is private or asks for "
                         "consent, set HF_TOKEN to a token of yours that may read it", host, what);
    case 403:
      return error(StatusCode::kInvalidArgument,
                   "{} does not give {} to {}: ask for access at {}", host, what,
                   has_token ? "the owner of the token in HF_TOKEN"
                             : "a stranger (set HF_TOKEN to a token of yours)", page);
    case 404:
      if (code == "RevisionNotFound") {
        return error(StatusCode::kNotFound, "{} has no such revision of {}; its page is {}", host,
                     what, page);
      }
      if (code == "EntryNotFound") {
        return error(StatusCode::kNotFound, "{} has no such file of {}; its page is {}", host, what,
                     page);
      }
      return error(StatusCode::kNotFound, "{} has no model {}: check the spelling", host, what);
    case 429:
      return error(StatusCode::kUnavailable,
                   "{} has had too many requests from here; try again {}{}", host,
                   response.retry_after
                       ? "in " + human_seconds(static_cast<std::uint64_t>(
                                     response.retry_after->count()))
                       : "later",
                   has_token ? "" : " (with a token in HF_TOKEN it allows more)");
    default:
      return error(response.is_passing() ? StatusCode::kUnavailable : StatusCode::kInternal,
                   "{} answered {} with status {}; {}", host, what, response.status,
                   response.is_passing() ? "try again later" : "is HF_ENDPOINT a hub?");
  }
}

}  // namespace

Result<HubOptions> hub_options() {
  HubOptions options;
  options.endpoint = variable("HF_ENDPOINT");
  if (options.endpoint.empty()) options.endpoint = kPublicHub;
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  if (!net::resolve_url(options.endpoint, options.endpoint).is_ok()) {
    return error(StatusCode::kInvalidArgument,
                 "HF_ENDPOINT is not an address such as https://hub.example.com");
  }
  options.token = variable("HF_TOKEN");
  const bool is_printable = std::all_of(options.token.begin(), options.token.end(),
                                        [](unsigned char c) { return c > 0x20 && c < 0x7F; });
  if (!is_printable || options.token.size() > kTokenMax) {
    return error(StatusCode::kInvalidArgument, "HF_TOKEN has characters that no token has");
  }
  return options;
}

HubClient::HubClient(HubOptions options)
    : options_(std::move(options)), client_(options_.limits) {}

Result<HubListing> HubClient::list(const ModelName& name) {
  const std::string revision = name.revision.empty() ? "main" : name.revision;
  net::Request request{.url = fmt::format("{}/api/models/{}/revision/{}?blobs=true",
                                         options_.endpoint, name.repository(),
                                         net::url_escaped(revision)),
                      .token = options_.token,
                      .accept = "application/json",
                      .body_max = kListingBytesMax};
  auto response = client_.send_patiently(request);
  if (!response.is_ok()) {
    return error(response.status().code(),
                 "cannot ask the hub for {}: {}. Without a network, name a file: quire serve "
                 "FILE.gguf", name.text, response.status().message());
  }
  if (response->status != 200) {
    return explain(*response, options_, name.text, options_.endpoint + "/" + name.repository());
  }
  auto listing = parse_listing(response->body);
  if (listing.is_ok()) return listing;
  return error(StatusCode::kCorrupt, "{} answered for {} what no hub answers: {}",
               net::host_of(options_.endpoint), name.text, listing.status().message());
}

std::string HubClient::file_url(const ModelName& name, const std::string& commit,
                                const std::string& path) const {
  return fmt::format("{}/{}/resolve/{}/{}", options_.endpoint, name.repository(), commit,
                     net::url_escaped(path, true));
}

Status HubClient::complete(const ModelName& name, const std::string& commit, HubFile& file) {
  if (!file.checksum.hex.empty()) return ok_status();
  const net::Request request{.url = file_url(name, commit, file.path),
                            .token = options_.token,
                            .is_head = true};
  QUIRE_ASSIGN_OR_RETURN(const net::Response response, client_.send_patiently(request));
  if (response.status >= 400) {
    return explain(response, options_, name.text, options_.endpoint + "/" + name.repository());
  }
  const bool is_large = !response.header("x-linked-etag").empty();
  std::string_view tag = response.header(is_large ? "x-linked-etag" : "etag");
  if (tag.starts_with("W/")) tag.remove_prefix(2);
  if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"') {
    tag = tag.substr(1, tag.size() - 2);
  }
  const std::string_view size = response.header(is_large ? "x-linked-size" : "content-length");
  const auto [end, problem] = std::from_chars(size.data(), size.data() + size.size(), file.size);
  auto sum = is_large ? Checksum::sha256(tag) : Checksum::git(tag);
  if (problem != std::errc() || end != size.data() + size.size() || !sum.is_ok() ||
      file.size > kFileBytesMax) {
    return error(StatusCode::kUnsupported, "{} tells neither size nor checksum of {}",
                 net::host_of(options_.endpoint), file.path);
  }
  file.checksum = std::move(sum).value();
  return ok_status();
}

std::string_view stored_name(std::string_view path) {
  const std::string_view end = path.substr(path.size() - std::min<std::size_t>(path.size(), 5));
  const bool is_gguf = end == ".gguf" || end == ".GGUF";
  return is_gguf ? path.substr(path.rfind('/') + 1) : path;
}

RemoteFile HubClient::remote(const ModelName& name, const std::string& commit,
                             const HubFile& file) const {
  RemoteFile remote;
  remote.file.name = stored_name(file.path);
  remote.file.size = file.size;
  remote.file.checksum = file.checksum;
  remote.bytes.url = file_url(name, commit, file.path);
  remote.bytes.token = options_.token;
  remote.bytes.explain = [options = options_, what = name.text,
                          page = options_.endpoint + "/" + name.repository()](
                             const net::Response& response) {
    return explain(response, options, what, page);
  };
  return remote;
}

}  // namespace quire::store
