// Files and folders that we make in a run directory: never through a symbolic link, and never over
// what somebody else has put there.
#pragma once

#include <filesystem>
#include <string>

namespace knnseq::core {

namespace fs = std::filesystem;

/// open(2) with O_NOFOLLOW and O_CLOEXEC; a file that is created gets the mode 0666 without the
/// umask. Throws InputError if the path is a symbolic link, SystemError for all else.
int open_own_file(const fs::path& path, int flags);

/// Removes a file, or a symbolic link itself; not an error if it is missing. Throws SystemError.
void remove_own_file(const fs::path& path);

/// Creates a file, open for reading and writing. A file of that name, left by a kill, is removed,
/// not overwritten. Throws SystemError.
int create_own_file(const fs::path& path);

/// Creates the folders of `path` that lie below `base`, which exists. Throws InputError naming
/// the first of them that is a symbolic link or not a folder, SystemError for all else.
void make_own_folders(const fs::path& base, const fs::path& path);

/// Throws InputError naming the first of the folders of `path` below `base`, and of `path` itself,
/// that is a symbolic link. Missing folders are not an error.
void refuse_links(const fs::path& base, const fs::path& path);

/// Makes the names in a folder durable (fsync). Some file systems do not implement that; it is
/// tolerated, and unsynced_folder() says so. Throws SystemError.
void sync_folder(const fs::path& folder);

/// The first folder of this process whose names could not be made durable; empty if all could.
std::string unsynced_folder();

}  // namespace knnseq::core
