//! TorchScript files, which hold a program beside its weights: told from checkpoints, and not read.

use std::sync::Arc;

use dataset::regular::{Cursor, RegularFile};
use zip::ZipArchive;

/// Whether a file is an archive that `torch.jit.save` wrote: it has code, or as the first of them a `model.json`.
pub(super) fn looks_like_one(start: &[u8], file: &Arc<RegularFile>) -> bool {
    if !start.starts_with(b"PK") {
        return false;
    }
    let Ok(archive) = ZipArchive::new(Cursor::new(Arc::clone(file))) else { return false };
    let mut names = archive.file_names().filter_map(Result::ok);
    names.any(|name| {
        // Everything lies in a folder that is named as the file was.
        let inside = name.split_once('/').map_or("", |(_, inside)| inside);
        inside.starts_with("code/") || matches!(inside, "constants.pkl" | "bytecode.pkl" | "model.json")
    })
}
