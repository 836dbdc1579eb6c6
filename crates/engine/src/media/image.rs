//! What a picture is, found in its bytes and not in what somebody says of it.
//!
//! Each format is walked from its first byte to its last, so that a picture that was cut short is
//! found out, and what follows a picture's end is cut off: a file cannot be a picture and something
//! else besides. Pixels are not decoded. See PNG (ISO/IEC 15948), section 5; JPEG (ITU T.81), annex B;
//! GIF89a, section 12; WebP (RFC 9649), section 2.

/// The most pixels in a row or a column.
pub const SIDE_MAX: u32 = 16_384;

/// The most pixels in all: a small file can claim many, and whoever shows it pays for them.
pub const PIXELS_MAX: u64 = 50_000_000;

/// How a picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP, lossy or lossless.
    WebP,
    /// GIF, also animated.
    Gif,
}

impl ImageFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Png, Self::Jpeg, Self::WebP, Self::Gif];

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
        }
    }

    /// How the names of files in this format end.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
            Self::Gif => "gif",
        }
    }

    /// The format that the first bytes say.
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Self::Png),
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }
}

/// A picture, as its bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// How it is encoded.
    pub format: ImageFormat,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Where it ends. What follows is not part of it.
    pub length: usize,
}

/// Why bytes are no picture that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnImage {
    /// They are something else.
    #[error("this is not a PNG, JPEG, WebP or GIF picture")]
    Unknown,
    /// They begin as a picture and do not go on as one.
    #[error("the picture is broken or was cut short")]
    Broken,
    /// The picture is too large to be shown, or empty.
    #[error("a picture has 1 to {SIDE_MAX} pixels on each side, and at most {PIXELS_MAX} in all")]
    Size,
}

/// Finds out what a picture is.
///
/// # Errors
/// If it is none, is not complete, or is too large to be shown.
pub fn inspect(bytes: &[u8]) -> Result<Image, NotAnImage> {
    let format = ImageFormat::of(bytes).ok_or(NotAnImage::Unknown)?;
    let walk = match format {
        ImageFormat::Png => png,
        ImageFormat::Jpeg => jpeg,
        ImageFormat::WebP => webp,
        ImageFormat::Gif => gif,
    };
    let mut reader = Reader { bytes, at: 0 };
    let (width, height) = walk(&mut reader).ok_or(NotAnImage::Broken)?;
    let side = 1..=SIDE_MAX;
    if !side.contains(&width) || !side.contains(&height) || u64::from(width) * u64::from(height) > PIXELS_MAX
    {
        return Err(NotAnImage::Size);
    }
    Ok(Image { format, width, height, length: reader.at })
}

/// Reads forward; `None` past the end.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.array::<1>()?[0])
    }
}

type Size = Option<(u32, u32)>;

fn png(reader: &mut Reader<'_>) -> Size {
    reader.take(8)?;
    let (mut size, mut has_pixels) = (None, false);
    loop {
        let length = u32::from_be_bytes(reader.array()?) as usize;
        let start = reader.at;
        let kind: [u8; 4] = reader.array()?;
        let data = reader.take(length)?;
        let whole = &reader.bytes[start..reader.at];
        if u32::from_be_bytes(reader.array()?) != crc32fast::hash(whole) {
            return None;
        }
        match (&kind, size) {
            (b"IHDR", None) => {
                let [width, height] = [data.get(0..4)?, data.get(4..8)?];
                let number = |bytes: &[u8]| Some(u32::from_be_bytes(bytes.try_into().ok()?));
                size = Some((number(width)?, number(height)?));
            }
            // The header comes first, and once.
            (_, None) | (b"IHDR", Some(_)) => return None,
            (b"IDAT", _) => has_pixels = true,
            (b"IEND", _) => return size.filter(|_| has_pixels),
            _ => {}
        }
    }
}

fn jpeg(reader: &mut Reader<'_>) -> Size {
    reader.take(2)?;
    let (mut size, mut has_pixels) = (None, false);
    loop {
        if reader.byte()? != 0xFF {
            return None;
        }
        let mut marker = reader.byte()?;
        while marker == 0xFF {
            marker = reader.byte()?;
        }
        match marker {
            // The end.
            0xD9 => return size.filter(|_| has_pixels),
            // Markers without a segment.
            0x01 | 0xD0..=0xD7 => continue,
            0x00 | 0xD8 => return None,
            _ => {}
        }
        let length = u16::from_be_bytes(reader.array()?);
        let segment = reader.take(usize::from(length.checked_sub(2)?))?;
        match marker {
            // The frame; between its markers stand those of tables.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                let [_, high, low, wide, narrow, ..] = *segment else { return None };
                size =
                    Some((u16::from_be_bytes([wide, narrow]).into(), u16::from_be_bytes([high, low]).into()));
            }
            // A scan: its data goes on to the next marker. 0 means: no marker.
            0xDA => {
                has_pixels = true;
                let data = &reader.bytes[reader.at..];
                let is_marker =
                    |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xD0..=0xD7 | 0xFF);
                reader.at += data.windows(2).position(is_marker)?;
            }
            _ => {}
        }
    }
}

fn gif(reader: &mut Reader<'_>) -> Size {
    reader.take(6)?;
    let [width_low, width_high, height_low, height_high, flags, _, _] = reader.array()?;
    colour_table(reader, flags)?;
    let mut has_pixels = false;
    loop {
        match reader.byte()? {
            0x3B => break,
            0x21 => {
                reader.byte()?;
                sub_blocks(reader)?;
            }
            0x2C => {
                let descriptor: [u8; 9] = reader.array()?;
                colour_table(reader, descriptor[8])?;
                reader.byte()?;
                sub_blocks(reader)?;
                has_pixels = true;
            }
            _ => return None,
        }
    }
    let size = |low, high| u32::from(u16::from_le_bytes([low, high]));
    has_pixels.then(|| (size(width_low, width_high), size(height_low, height_high)))
}

fn colour_table(reader: &mut Reader<'_>, flags: u8) -> Option<()> {
    if flags & 0x80 != 0 {
        reader.take(3 << ((flags & 7) + 1))?;
    }
    Some(())
}

fn sub_blocks(reader: &mut Reader<'_>) -> Option<()> {
    loop {
        match reader.byte()? {
            0 => return Some(()),
            length => reader.take(length.into())?,
        };
    }
}

fn webp(reader: &mut Reader<'_>) -> Size {
    reader.take(4)?;
    let length = u32::from_le_bytes(reader.array()?) as usize;
    let end = reader.at.checked_add(length)?;
    reader.bytes.get(..end)?;
    reader.take(4)?;
    let (mut size, mut has_pixels) = (None, false);
    while reader.at < end {
        let kind: [u8; 4] = reader.array()?;
        let length = u32::from_le_bytes(reader.array()?) as usize;
        let data = reader.take(length)?;
        // A chunk of odd length is followed by a byte that is not part of it.
        reader.take(length % 2)?;
        let chunk_size = match &kind {
            b"VP8X" => {
                let [_, _, _, _, a, b, c, d, e, f, ..] = *data else { return None };
                let side = |bytes: [u8; 4]| u32::from_le_bytes(bytes) + 1;
                Some((side([a, b, c, 0]), side([d, e, f, 0])))
            }
            b"VP8 " => {
                let [_, _, _, 0x9D, 0x01, 0x2A, a, b, c, d, ..] = *data else { return None };
                let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3FFF);
                Some((side([a, b]), side([c, d])))
            }
            b"VP8L" => {
                let [0x2F, a, b, c, d, ..] = *data else { return None };
                let bits = u32::from_le_bytes([a, b, c, d]);
                Some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
            }
            _ => None,
        };
        has_pixels |= matches!(&kind, b"VP8 " | b"VP8L" | b"ANMF");
        size = size.or(chunk_size);
    }
    // The chunks fill the file exactly.
    size.filter(|_| has_pixels && reader.at == end)
}
