//! Pictures.

use crate::{
    operation::{BODY, OWNER, Operations, PARAMETERS, STORE, operation},
    problem::Kind,
};

mod get_media;
mod picture;
mod remove_item_image;
mod remove_show_image;
mod set_item_image;
mod set_show_image;

/// What is referred to does not exist.
const NOT_FOUND: &[Kind] = &[Kind::NotFound];

/// The account has as many pictures as it may have.
const FULL: &[Kind] = &[Kind::NotPossible];

/// The item does not exist, or no pictures are kept.
const NO_SUCH_ITEM: &[Kind] = &[Kind::NotFound, Kind::NoSuchItem];

pub(crate) fn operations() -> Operations {
    Operations::new()
        .routes(operation!(get_media::get_media, &[PARAMETERS, STORE, NOT_FOUND]))
        .routes(operation!(set_show_image::set_show_image, &[OWNER, BODY, STORE, NOT_FOUND, FULL]))
        .routes(operation!(remove_show_image::remove_show_image, &[OWNER, PARAMETERS, STORE, NOT_FOUND]))
        .routes(operation!(set_item_image::set_item_image, &[OWNER, BODY, STORE, NO_SUCH_ITEM, FULL]))
        .routes(operation!(remove_item_image::remove_item_image, &[OWNER, PARAMETERS, STORE, NO_SUCH_ITEM],))
}
