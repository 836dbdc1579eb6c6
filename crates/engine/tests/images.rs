//! What a picture is. The pictures in `images/` were made by other software.

use std::{fs, path::Path};

use onsale_engine::media::{Image, ImageFormat, NotAnImage, inspect};

fn pictures() -> Vec<(String, Vec<u8>, ImageFormat)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images");
    let mut pictures = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let extension = path.extension().unwrap().to_str().unwrap();
        let format = ImageFormat::ALL.into_iter().find(|format| format.extension() == extension).unwrap();
        pictures.push((path.display().to_string(), fs::read(&path).unwrap(), format));
    }
    assert_eq!(pictures.len(), 9);
    pictures
}

#[test]
fn pictures_are_what_their_bytes_say() {
    for (name, bytes, format) in pictures() {
        let expected = Image { format, width: 6, height: 4, length: bytes.len() };
        assert_eq!(inspect(&bytes), Ok(expected), "{name}");
    }
}

#[test]
fn a_picture_that_was_cut_short_is_found_out() {
    for (name, bytes, _) in pictures() {
        for length in 0..bytes.len() {
            assert!(inspect(&bytes[..length]).is_err(), "{name}: {length} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn what_follows_a_picture_is_not_part_of_it() {
    for (name, bytes, _) in pictures() {
        for after in ["<script>alert(1)</script>", "PK\u{3}\u{4} an archive", "\0", "\u{ff}\u{d9};"] {
            let both = [&bytes, after.as_bytes()].concat();
            assert_eq!(inspect(&both).unwrap().length, bytes.len(), "{name} {after}");
        }
        // In front of it, it is something else.
        assert_eq!(inspect(&[b"<", &bytes[..]].concat()), Err(NotAnImage::Unknown), "{name}");
    }
}

#[test]
fn no_change_of_bytes_does_any_harm() {
    for (name, bytes, format) in pictures() {
        for at in 0..bytes.len() {
            for change in [1_u8, 0x80, 0xFF] {
                let mut other = bytes.clone();
                other[at] ^= change;
                let found = inspect(&other);
                // A PNG has checksums over everything.
                assert!(format != ImageFormat::Png || found.is_err(), "{name}: byte {at}");
                assert!(found.is_err() || found.unwrap().length <= bytes.len(), "{name}: byte {at}");
            }
        }
    }
}

#[test]
fn other_things_are_no_pictures() {
    for other in [
        "",
        "G",
        "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>",
        "<?xml version=\"1.0\"?><svg/>",
        "<!doctype html><script>alert(1)</script>",
        "%PDF-1.7",
        "BM\0\0",
        "RIFF\u{4}\0\0\0WAVE",
        "GIF88a",
    ] {
        assert_eq!(inspect(other.as_bytes()), Err(NotAnImage::Unknown), "{other}");
    }
    // They begin as a picture, and are a script.
    for other in ["GIF89a/*\0\0*/=1;alert(1)//;", "RIFF/*\0\0WEBP*/=1;alert(1)"] {
        assert_eq!(inspect(other.as_bytes()), Err(NotAnImage::Broken), "{other}");
    }
}

/// A small file that claims to be a large picture.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    for (kind, data) in [(b"IHDR", &header[..]), (b"IDAT", b"x"), (b"IEND", b"")] {
        file.extend((data.len() as u32).to_be_bytes());
        let chunk = [kind, data].concat();
        file.extend(&chunk);
        file.extend(crc32fast::hash(&chunk).to_be_bytes());
    }
    file
}

#[test]
fn pictures_are_of_bounded_size() {
    for (width, height) in [(1, 1), (16_384, 1), (10_000, 5_000)] {
        assert!(inspect(&png(width, height)).is_ok(), "{width} x {height}");
    }
    for (width, height) in [(0, 1), (1, 0), (16_385, 1), (1, u32::MAX), (10_000, 5_001)] {
        assert_eq!(inspect(&png(width, height)), Err(NotAnImage::Size), "{width} x {height}");
    }
}
