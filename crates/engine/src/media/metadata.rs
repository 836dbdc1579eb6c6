//! Takes out of a picture what is not the picture: where and when it was taken, with which camera, by whom,
//! comments, thumbnails of what was cropped away. Nothing is encoded anew.
//!
//! Everything needed to show it stays: colour profiles, transparency, timing and repetition of an animation, and
//! the orientation, as the only entry of an Exif of our own. Whatever is not known to be needed goes.

use super::image::{ImageFormat, Reader, WEBP_FRAME_HEAD, colour_table, scan, sub_blocks, webp_chunk};

/// A picture without what is not it. `None` if it is broken or of another format; a picture that has been
/// inspected is not.
#[must_use]
pub fn without_metadata(bytes: &[u8], format: ImageFormat) -> Option<Vec<u8>> {
    let mut reader = Reader::new(bytes);
    match format {
        ImageFormat::Jpeg => jpeg(&mut reader),
        ImageFormat::Png => png(&mut reader),
        ImageFormat::WebP => webp(&mut reader),
        ImageFormat::Gif => gif(&mut reader),
    }
}

fn jpeg(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let mut out = reader.take(2)?.to_vec();
    let mut oriented = false;
    loop {
        let start = reader.at;
        if reader.byte()? != 0xFF {
            return None;
        }
        let mut marker = reader.byte()?;
        while marker == 0xFF {
            marker = reader.byte()?;
        }
        match marker {
            0xD9 => {
                out.extend([0xFF, 0xD9]);
                return Some(out);
            }
            0x01 | 0xD0..=0xD7 => {
                out.extend([0xFF, marker]);
                continue;
            }
            _ => {}
        }
        let length = u16::from_be_bytes(reader.array()?);
        let data = reader.take(usize::from(length.checked_sub(2)?))?;
        let end = reader.at;
        match marker {
            0xE1 => {
                let exif = data.strip_prefix(b"Exif\0\0").filter(|_| !oriented);
                if let Some(orientation) = exif.and_then(orientation) {
                    oriented = true;
                    out.extend(exif_segment(orientation));
                }
            }
            // Colours: Adobe's transform, a profile, JFIF without its thumbnail.
            0xE0 if data.starts_with(b"JFIF\0") => out.extend(jfif(data)?),
            0xE2 if data.starts_with(b"ICC_PROFILE\0") => out.extend(&reader.bytes[start..end]),
            0xEE if data.starts_with(b"Adobe") => out.extend(&reader.bytes[start..end]),
            0xE0..=0xEF | 0xFE => {}
            0xDA => {
                scan(reader)?;
                out.extend(&reader.bytes[start..reader.at]);
            }
            _ => out.extend(&reader.bytes[start..end]),
        }
    }
}

/// The segment without its thumbnail.
fn jfif(data: &[u8]) -> Option<Vec<u8>> {
    let head = data.get(..12)?;
    Some([&[0xFF, 0xE0, 0, 16][..], head, &[0, 0]].concat())
}

fn exif_segment(orientation: u8) -> Vec<u8> {
    let exif = [b"Exif\0\0", &exif(orientation)[..]].concat();
    let length = u16::try_from(exif.len() + 2).unwrap_or(u16::MAX);
    [&[0xFF, 0xE1][..], &length.to_be_bytes(), &exif].concat()
}

/// The chunks of a PNG that change what is seen, beside those that every decoder must know. See PNG (third
/// edition), 11.3.
const PNG_KEPT: [&[u8; 4]; 16] = [
    b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD", b"hIST", b"tRNS",
    b"pHYs", b"sPLT", b"acTL", b"fcTL", b"fdAT",
];

fn png(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let mut out = reader.take(8)?.to_vec();
    let mut oriented = false;
    loop {
        let start = reader.at;
        let length = u32::from_be_bytes(reader.array()?) as usize;
        let kind: [u8; 4] = reader.array()?;
        let data = reader.take(length)?;
        reader.take(4)?;
        let is_critical = kind[0].is_ascii_uppercase();
        if &kind == b"eXIf" && !oriented {
            if let Some(orientation) = orientation(data) {
                oriented = true;
                out.extend(png_chunk(b"eXIf", &exif(orientation)));
            }
        } else if is_critical || PNG_KEPT.contains(&&kind) {
            out.extend(&reader.bytes[start..reader.at]);
        }
        if &kind == b"IEND" {
            return Some(out);
        }
    }
}

fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let whole = [kind, data].concat();
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[..], &whole, &crc32fast::hash(&whole).to_be_bytes()].concat()
}

/// Bits of the head of an extended WebP.
const WEBP_HAS_XMP: u8 = 0x04;
const WEBP_HAS_EXIF: u8 = 0x08;

fn webp(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    reader.take(12)?;
    let (mut chunks, mut head_at, mut oriented) = (Vec::new(), None, None);
    while reader.at < reader.bytes.len() {
        let (kind, data) = webp_chunk(reader)?;
        match &kind {
            b"VP8X" => {
                head_at.get_or_insert(chunks.len() + 8);
                webp_put(&mut chunks, kind, data);
            }
            b"VP8 " | b"VP8L" | b"ALPH" | b"ANIM" | b"ICCP" => webp_put(&mut chunks, kind, data),
            b"ANMF" => webp_put(&mut chunks, kind, &webp_frame(data)?),
            b"EXIF" if oriented.is_none() => {
                oriented = orientation(data.strip_prefix(b"Exif\0\0").unwrap_or(data));
            }
            _ => {}
        }
    }
    // Only an extended file may have it.
    if let Some(flags) = head_at.and_then(|at| chunks.get_mut(at)) {
        *flags &= !(WEBP_HAS_XMP | WEBP_HAS_EXIF);
        if let Some(orientation) = oriented {
            *flags |= WEBP_HAS_EXIF;
            webp_put(&mut chunks, *b"EXIF", &exif(orientation));
        }
    }
    let length = u32::try_from(chunks.len() + 4).ok()?.to_le_bytes();
    Some([b"RIFF", &length[..], b"WEBP", &chunks].concat())
}

/// A frame with nothing but its picture.
fn webp_frame(data: &[u8]) -> Option<Vec<u8>> {
    let mut frame = data.get(..WEBP_FRAME_HEAD)?.to_vec();
    let mut reader = Reader::new(&data[WEBP_FRAME_HEAD..]);
    while reader.at < reader.bytes.len() {
        let (kind, data) = webp_chunk(&mut reader)?;
        if matches!(&kind, b"VP8 " | b"VP8L" | b"ALPH") {
            webp_put(&mut frame, kind, data);
        }
    }
    Some(frame)
}

fn webp_put(out: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    out.extend(kind);
    out.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(data);
    if data.len() % 2 == 1 {
        out.push(0);
    }
}

fn gif(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    reader.take(6)?;
    let [.., flags, _, _]: [u8; 7] = reader.array()?;
    colour_table(reader, flags)?;
    let mut out = reader.bytes[..reader.at].to_vec();
    loop {
        let start = reader.at;
        let keep = match reader.byte()? {
            0x3B => {
                out.push(0x3B);
                return Some(out);
            }
            0x21 => {
                let label = reader.byte()?;
                let first = reader.at;
                sub_blocks(reader)?;
                gif_extension_is_kept(label, &reader.bytes[first..reader.at])
            }
            0x2C => {
                let [.., flags]: [u8; 9] = reader.array()?;
                colour_table(reader, flags)?;
                reader.byte()?;
                sub_blocks(reader)?;
                true
            }
            _ => return None,
        };
        if keep {
            out.extend(&reader.bytes[start..reader.at]);
        }
    }
}

/// Timing and transparency, text that is seen, how often it is repeated, a colour profile.
fn gif_extension_is_kept(label: u8, blocks: &[u8]) -> bool {
    let applications: [&[u8]; 3] = [b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0", b"\x0bICCRGBG1012"];
    match label {
        0xF9 | 0x01 => true,
        0xFF => applications.into_iter().any(|application| blocks.starts_with(application)),
        _ => false,
    }
}

/// The tag of the orientation, and how a number of 16 bits is said.
const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;

/// The orientation that an Exif tells, if it is another one than upright.
fn orientation(exif: &[u8]) -> Option<u8> {
    let little = match exif.get(..4)? {
        b"II\x2a\0" => true,
        b"MM\0\x2a" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes: [u8; 4] = exif.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = long(4)? as usize;
    let entries = usize::from(short(directory)?);
    let entry = |index: usize| directory.checked_add(2)?.checked_add(12 * index);
    let at = (0..entries).map_while(entry).find(|at| short(*at) == Some(ORIENTATION))?;
    let is_one_short = short(at + 2)? == SHORT && long(at + 4)? == 1;
    let value = u8::try_from(short(at + 8)?).ok()?;
    (is_one_short && (2..=8).contains(&value)).then_some(value)
}

/// An Exif that tells an orientation and nothing else.
fn exif(orientation: u8) -> Vec<u8> {
    let entry =
        [&ORIENTATION.to_be_bytes()[..], &SHORT.to_be_bytes(), &[0, 0, 0, 1], &[0, orientation, 0, 0]];
    [b"MM\0\x2a\0\0\0\x08\0\x01", &entry.concat()[..], &[0, 0, 0, 0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orientation_is_read_as_it_was_written_and_nothing_else_is() {
        for orientation_told in 0..=20_u8 {
            let told = orientation(&exif(orientation_told));
            assert_eq!(told, (2..=8).contains(&orientation_told).then_some(orientation_told));
        }
        let little = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        assert_eq!(orientation(little), Some(6));
        for length in 0..little.len() - 6 {
            orientation(&little[..length]);
        }
        for broken in [&b"MM\0\x2a\xff\xff\xff\xff"[..], b"MM\0\x2a\0\0\0\x08\xff\xff", b"", b"XX"] {
            assert_eq!(orientation(broken), None);
        }
    }
}
