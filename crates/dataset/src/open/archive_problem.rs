//! Everything that can be wrong with a tar archive.

/// Why a tar archive is not a data set; what is appended to its path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveProblem {
    /// It is cut off or broken.
    #[error(
        "the archive is damaged: {reason}; get it again (ILSVRC2012_img_val.tar has 6744924160 bytes, MD5 \
         29b22e2961454d5413ddabcf34fc5622)"
    )]
    Damaged {
        /// What is wrong.
        reason: String,
    },
    /// A link whose target is not in it.
    #[error(
        "{name} is a link to {target}, and no file before it in this archive has that name; make the archive again \
         with tar --hard-dereference, or unpack it and give the folder"
    )]
    Link {
        /// The image.
        name: String,
        /// What it is a link to.
        target: String,
    },
    /// A symbolic link or a device, under an image's name.
    #[error(
        "{name} is a symbolic link or a device in this archive, not a file; make the archive again with tar \
         --dereference, or unpack it and give the folder"
    )]
    NotAFile {
        /// The image.
        name: String,
    },
    /// A sparse member, under an image's name.
    #[error(
        "{name} is stored as a sparse file in this archive, whose parts are not put together in place; make the archive \
         again with tar without --sparse, or unpack it and give the folder"
    )]
    Sparse {
        /// The image.
        name: String,
    },
    /// Two members of one name.
    #[error(
        "{name} is in this archive more than once (was the archive appended to?); unpack it, which keeps the last, \
         and give the folder"
    )]
    Duplicate {
        /// The image.
        name: String,
    },
    /// No images.
    #[error("no images (.jpg, .jpeg, .png) in this archive; give the archive of the validation images")]
    WithoutImages,
    /// Images in folders of several levels.
    #[error(
        "images lie in folders of several levels in this archive ({examples}); unpack it and give the folder \
         that is meant"
    )]
    Mixed {
        /// The first few folders.
        examples: String,
    },
}
