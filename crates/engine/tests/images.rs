//! What a picture is. The pictures in `images/` were made by other software.

use std::{fs, path::Path};

use onsale_engine::media::{Image, ImageFormat, NotAnImage, inspect, without_metadata};
use proptest::{collection::vec, prelude::*, sample::Index};

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

/// A GIF whose only frame is of this size, on a small screen.
fn gif(width: u16, height: u16) -> Vec<u8> {
    let (width, height) = (width.to_le_bytes(), height.to_le_bytes());
    let descriptor = [&[0x2C, 0, 0, 0, 0][..], &width, &height, &[0]].concat();
    [b"GIF89a\x06\0\x04\0\0\0\0", &descriptor[..], &[2, 1, 0, 0, 0x3B]].concat()
}

fn riff(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut file = b"WEBP".to_vec();
    for (kind, data) in chunks {
        file.extend(chunk(kind, data));
    }
    [b"RIFF", &(file.len() as u32).to_le_bytes()[..], &file].concat()
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let pad = &[0][..data.len() % 2];
    [&kind[..], &(data.len() as u32).to_le_bytes(), data, pad].concat()
}

fn three(side: u32) -> [u8; 3] {
    let [a, b, c, _] = (side - 1).to_le_bytes();
    [a, b, c]
}

fn vp8x(flags: u8, width: u32, height: u32) -> Vec<u8> {
    [&[flags, 0, 0, 0][..], &three(width), &three(height)].concat()
}

fn vp8(width: u16, height: u16) -> Vec<u8> {
    [&[0, 0, 0, 0x9D, 0x01, 0x2A][..], &width.to_le_bytes(), &height.to_le_bytes()].concat()
}

/// A frame of one size with a picture of another in it.
fn anmf(frame: (u32, u32), picture: (u16, u16)) -> Vec<u8> {
    let head = [&[0; 6][..], &three(frame.0), &three(frame.1), &[0; 4]].concat();
    [head, chunk(b"VP8 ", &vp8(picture.0, picture.1))].concat()
}

#[test]
fn frames_are_of_bounded_size_too() {
    assert!(inspect(&gif(6, 4)).is_ok());
    for (width, height) in [(65_535, 65_535), (16_385, 1), (10_000, 5_001), (0, 4)] {
        assert_eq!(inspect(&gif(width, height)), Err(NotAnImage::Size), "GIF {width} x {height}");
    }
    let animated = |frames: &[Vec<u8>]| {
        let frames = frames.iter().map(|frame| (b"ANMF", frame.clone()));
        riff(&[(b"VP8X", vp8x(2, 6, 4))].into_iter().chain(frames).collect::<Vec<_>>())
    };
    assert!(inspect(&animated(&[anmf((6, 4), (6, 4))])).is_ok());
    for large in [anmf((16_384, 16_384), (6, 4)), anmf((6, 4), (16_383, 16_383)), anmf((6, 4), (0, 4))] {
        assert_eq!(inspect(&animated(&[anmf((6, 4), (6, 4)), large])), Err(NotAnImage::Size));
    }
    // A canvas that is small, with a picture that is not.
    let still = riff(&[(b"VP8X", vp8x(0, 6, 4)), (b"VP8 ", vp8(16_383, 16_383))]);
    assert_eq!(inspect(&still), Err(NotAnImage::Size));
    // Each is small enough, and all together are not.
    let many = vec![anmf((5_000, 5_000), (6, 4)); 21];
    assert!(inspect(&animated(&many[..19])).is_ok());
    assert_eq!(inspect(&animated(&many)), Err(NotAnImage::Size));
}

/// An Exif that tells an orientation, if it is not 0, and a position.
fn exif(orientation: u8) -> Vec<u8> {
    let count = if orientation == 0 { 1_u8 } else { 2 };
    let mut exif = [b"II\x2a\0\x08\0\0\0", &[count, 0][..]].concat();
    if orientation > 0 {
        exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
    }
    // The directory of the position.
    exif.extend([0x25, 0x88, 4, 0, 1, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0]);
    exif.extend(b"SECRET 37.566N 126.978E");
    exif
}

fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let whole = [&kind[..], data].concat();
    [&(data.len() as u32).to_be_bytes()[..], &whole, &crc32fast::hash(&whole).to_be_bytes()].concat()
}

fn jpeg_segment(marker: u8, data: &[u8]) -> Vec<u8> {
    [&[0xFF, marker][..], &(data.len() as u16 + 2).to_be_bytes(), data].concat()
}

/// The picture with everything in it that it should not tell.
fn with_secrets(bytes: &[u8], format: ImageFormat, orientation: u8) -> Vec<u8> {
    let exif = exif(orientation);
    match format {
        ImageFormat::Jpeg => {
            let thumbnail = [&b"JFIF\0\x01\x01\0\0\x01\0\x01\x04\x01"[..], b"SECRET SECRE"].concat();
            let segments = [
                jpeg_segment(0xE0, &thumbnail),
                jpeg_segment(0xE1, &[b"Exif\0\0", &exif[..]].concat()),
                jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>SECRET</x>"),
                jpeg_segment(0xE2, b"MPF\0SECRET"),
                jpeg_segment(0xED, b"Photoshop 3.0\08BIMSECRET"),
                jpeg_segment(0xEF, b"SECRET"),
                jpeg_segment(0xFE, b"SECRET"),
            ];
            [&bytes[..2], &segments.concat(), &bytes[2..]].concat()
        }
        ImageFormat::Png => {
            let chunks = [
                png_chunk(b"eXIf", &exif),
                png_chunk(b"tEXt", b"Comment\0SECRET"),
                png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0SECRET"),
                png_chunk(b"zTXt", b"SECRET\0\0x"),
                png_chunk(b"tIME", b"SECRET!"),
                png_chunk(b"caBX", b"SECRET"),
            ];
            // Behind the header, and in front of the end.
            let (header, end) = (8 + 25, bytes.len() - 12);
            [&bytes[..header], &chunks.concat(), &bytes[header..end], &chunks[1], &bytes[end..]].concat()
        }
        ImageFormat::WebP => {
            let mut body = bytes[12..].to_vec();
            if &body[..4] == b"VP8X" {
                body[8] |= 0x0C;
            } else {
                body = [chunk(b"VP8X", &vp8x(0x0C, 6, 4)), body].concat();
            }
            body.extend(chunk(b"EXIF", &exif));
            body.extend(chunk(b"XMP ", b"<x>SECRET</x>"));
            body.extend(chunk(b"abcd", b"SECRET"));
            [b"RIFF", &(body.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &body].concat()
        }
        ImageFormat::Gif => {
            let comment = b"\x21\xfe\x06SECRET\0";
            let xmp = b"\x21\xff\x0bXMP DataXMP<x>SECRET</x>";
            // Text that is read as blocks, up to an end that any of them leads to.
            let trailer: Vec<u8> = [1].into_iter().chain((0..=255).rev()).chain([0]).collect();
            let end = bytes.len() - 1;
            let table = if bytes[10] & 0x80 == 0 { 0 } else { 3 << ((bytes[10] & 7) + 1) };
            let begin = 13 + table;
            [&bytes[..begin], comment, &xmp[..], &trailer, &bytes[begin..end], comment, &bytes[end..]]
                .concat()
        }
    }
}

fn tells(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[test]
fn positions_comments_and_the_like_are_taken_out() {
    for (name, bytes, format) in pictures() {
        let plain = without_metadata(&bytes, format).unwrap();
        for orientation in [0, 1] {
            let secret = with_secrets(&bytes, format, orientation);
            assert!(inspect(&secret).is_ok() && tells(&secret, b"SECRET"), "{name}");
            let cleaned = without_metadata(&secret, format).unwrap();
            assert!(!tells(&cleaned, b"SECRET") && !tells(&cleaned, b"126.978E"), "{name}");
            let Image { width, height, length, .. } = inspect(&cleaned).unwrap();
            assert_eq!((width, height, length), (6, 4, cleaned.len()), "{name}");
            // A WebP that had to be extended to have an Exif stays so, a JPEG has a JFIF more.
            let longer = cleaned.len() - plain.len();
            assert!(longer == 0 || [18, 0].contains(&longer) && name.contains('.'), "{name}: {longer}");
            assert_eq!(without_metadata(&cleaned, format).unwrap(), cleaned, "{name}: nothing is left");
        }
    }
}

#[test]
fn the_orientation_stays() {
    for (name, bytes, format) in pictures() {
        for orientation in 2..=8 {
            let cleaned = without_metadata(&with_secrets(&bytes, format, orientation), format).unwrap();
            assert!(inspect(&cleaned).is_ok() && !tells(&cleaned, b"SECRET"), "{name}");
            let entry = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0];
            assert_eq!(tells(&cleaned, &entry), format != ImageFormat::Gif, "{name}: {orientation}");
            assert!(!tells(&cleaned, &[0x88, 0x25]) && !tells(&cleaned, &[0x25, 0x88, 4, 0]), "{name}");
            assert_eq!(without_metadata(&cleaned, format).unwrap(), cleaned, "{name}: it is kept again");
        }
    }
}

proptest! {
    /// Whatever a file says of its metadata: it is taken out or the file is refused, and nothing panics.
    #[test]
    fn broken_metadata_does_no_harm(
        which in any::<Index>(),
        orientation in 0..10_u8,
        changes in vec((any::<Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<Index>()),
    ) {
        let pictures = pictures();
        let (name, bytes, format) = which.get(&pictures);
        let mut bytes = with_secrets(bytes, *format, orientation);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        for format in ImageFormat::ALL {
            let _ = without_metadata(&bytes, format);
        }
        if let Ok(image) = inspect(&bytes) {
            let cleaned = without_metadata(&bytes[..image.length], image.format);
            prop_assert!(cleaned.is_some(), "{}", name);
            let cleaned = cleaned.unwrap();
            let again = inspect(&cleaned);
            prop_assert!(again.is_ok(), "{}: {:?}", name, again);
            prop_assert_eq!(without_metadata(&cleaned, image.format), Some(cleaned));
        }
    }
}
