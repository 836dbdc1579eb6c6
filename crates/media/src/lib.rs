//! Where the files of pictures are kept: in a folder.

mod folder;

pub use folder::MediaFolder;
