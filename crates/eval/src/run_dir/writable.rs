//! Whether a run directory can be made and written, asked without making or writing anything.

use std::fs;
use std::io;
use std::path::Path;

use super::own::failed;
use super::paths::{self, LOCK};
use crate::EvalError;

/// Whether the folder `path` can be made, or is there and can be written to, with its lock and its record.
///
/// # Errors
/// [`EvalError::RunFile`].
pub(super) fn check_writable(path: &Path) -> Result<(), EvalError> {
    let whole = std::path::absolute(path).map_err(failed("create", path))?;
    for above in whole.ancestors() {
        // A link is there wherever it leads: nothing can be made in its place.
        match fs::symlink_metadata(above) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(failed("create", path)(error)),
            Ok(_) if above == whole => return check_folder(path),
            // The nearest ancestor that exists has to be a folder.
            Ok(_) => return takes_files(above).map_err(failed("create", path)),
        }
    }
    Ok(())
}

/// Whether the lock of the folder `path`, and its other files, can be written.
fn check_folder(path: &Path) -> Result<(), EvalError> {
    if !fs::metadata(path).map_err(failed("create", path))?.is_dir() {
        return Err(failed("create", path)(io::ErrorKind::NotADirectory.into()));
    }
    let lock = path.join(LOCK);
    if fs::symlink_metadata(&lock).is_ok() {
        may_be_opened(&lock).map_err(failed("create", &lock))?;
    }
    takes_files(path).map_err(failed("write", &paths::record(path)))
}

/// Whether `folder` is one, in which this process may make files.
fn takes_files(folder: &Path) -> io::Result<()> {
    if !fs::metadata(folder)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    may_be_written(folder)?;
    if is_of_the_kernel(folder) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}

#[cfg(unix)]
fn may_be_written(folder: &Path) -> io::Result<()> {
    use rustix::fs::{Access, access};
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Whether this process may open the file at `path` to read and write it.
#[cfg(unix)]
fn may_be_opened(path: &Path) -> io::Result<()> {
    use rustix::fs::{Access, access};
    Ok(access(path, Access::READ_OK | Access::WRITE_OK)?)
}

/// Whether `folder` belongs to the kernel, as those below `/proc` and `/sys`. No file can be made there, though a privileged
/// process is told that it may.
#[cfg(target_os = "linux")]
fn is_of_the_kernel(folder: &Path) -> bool {
    /// The numbers of procfs and sysfs.
    const KERNELS: [u64; 2] = [0x9fa0, 0x6265_6572];
    rustix::fs::statfs(folder)
        .is_ok_and(|found| KERNELS.iter().any(|&it| u64::try_from(found.f_type) == Ok(it)))
}

#[cfg(not(target_os = "linux"))]
fn is_of_the_kernel(_folder: &Path) -> bool {
    false
}

// Elsewhere it shows when the folder is made.
#[cfg(not(unix))]
fn may_be_written(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn may_be_opened(_path: &Path) -> io::Result<()> {
    Ok(())
}
