// fetch_blob: one remote file becomes a blob of the store: fetched in ranges that a later call goes
// on with, checked against its checksum, then renamed. One process fetches a blob, the others wait
// and find it there. The disk must have room before anything is fetched.
// The caller holds the store. Any thread. Called by pull and default_model.
#pragma once

#include "store/hub/remote_file.h"
#include "store/local_store.h"

namespace quire::store {

// `advance` is told how many bytes of this file are here.
Status fetch_blob(const LocalStore& store, const RemoteFile& remote, const net::Limits& limits,
                  FetchObserver& observer, const std::function<void(std::uint64_t)>& advance);

// Whether the disk of `folder` has room for `bytes` and a little more.
Status check_room(const std::string& folder, std::uint64_t bytes);

// The lock of a blob, said aloud if another process has it.
Result<FileLock> lock_blob(const LocalStore& store, const StoredFile& file,
                           FetchObserver& observer);

}  // namespace quire::store
