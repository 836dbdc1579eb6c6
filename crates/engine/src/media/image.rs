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

/// The most pixels of all frames of an animation together.
pub const FRAME_PIXELS_MAX: u64 = 10 * PIXELS_MAX;

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
    #[error(
        "a picture and each of its frames has 1 to {SIDE_MAX} pixels on each side and at most {PIXELS_MAX} \
         in all, and all frames together at most {FRAME_PIXELS_MAX}"
    )]
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
    let mut reader = Reader::new(bytes);
    let (width, height) = walk(&mut reader).ok_or(NotAnImage::Broken)?;
    reader.frames.add(width, height);
    if reader.frames.too_large || reader.frames.pixels > FRAME_PIXELS_MAX {
        return Err(NotAnImage::Size);
    }
    Ok(Image { format, width, height, length: reader.at })
}

/// The sizes that a picture's bytes tell: of the whole and of each frame. Whoever shows it makes room for the
/// largest of them.
#[derive(Default)]
struct Frames {
    too_large: bool,
    pixels: u64,
}

impl Frames {
    fn add(&mut self, width: u32, height: u32) {
        let side = 1..=SIDE_MAX;
        let pixels = u64::from(width) * u64::from(height);
        self.too_large |= !side.contains(&width) || !side.contains(&height) || pixels > PIXELS_MAX;
        self.pixels = self.pixels.saturating_add(pixels);
    }
}

/// Reads forward; `None` past the end.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    frames: Frames,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, frames: Frames::default() }
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
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
                size = Some((number_at(data, 0)?, number_at(data, 4)?));
            }
            // The header comes first, and once.
            (_, None) | (b"IHDR", Some(_)) => return None,
            // A frame of an animation.
            (b"fcTL", _) => reader.frames.add(number_at(data, 4)?, number_at(data, 8)?),
            (b"IDAT", _) => has_pixels = true,
            (b"IEND", _) => return size.filter(|_| has_pixels),
            _ => {}
        }
    }
}

fn number_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
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
                let frame = (u16::from_be_bytes([wide, narrow]), u16::from_be_bytes([high, low]));
                reader.frames.add(frame.0.into(), frame.1.into());
                size = Some((frame.0.into(), frame.1.into()));
            }
            0xDA => {
                has_pixels = true;
                scan(reader)?;
            }
            _ => {}
        }
    }
}

/// The data of a scan goes on to the next marker. 0 means: no marker.
pub(super) fn scan(reader: &mut Reader<'_>) -> Option<()> {
    let data = &reader.bytes[reader.at..];
    let is_marker = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xD0..=0xD7 | 0xFF);
    reader.at += data.windows(2).position(is_marker)?;
    Some(())
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
                let [_, _, _, _, wide, wider, high, higher, flags] = reader.array()?;
                let side = |low, high| u32::from(u16::from_le_bytes([low, high]));
                reader.frames.add(side(wide, wider), side(high, higher));
                colour_table(reader, flags)?;
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

pub(super) fn colour_table(reader: &mut Reader<'_>, flags: u8) -> Option<()> {
    if flags & 0x80 != 0 {
        reader.take(3 << ((flags & 7) + 1))?;
    }
    Some(())
}

pub(super) fn sub_blocks(reader: &mut Reader<'_>) -> Option<()> {
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
        let (kind, data) = webp_chunk(reader)?;
        let chunk_size = webp_size(kind, data)?;
        if let Some((width, height)) = chunk_size {
            reader.frames.add(width, height);
        }
        if &kind == b"ANMF" {
            webp_frame(&mut reader.frames, data)?;
        }
        has_pixels |= matches!(&kind, b"VP8 " | b"VP8L" | b"ANMF");
        size = size.or(chunk_size);
    }
    // The chunks fill the file exactly.
    size.filter(|_| has_pixels && reader.at == end)
}

/// The size that a chunk tells, if its kind has one. The outer `None`: it is broken.
fn webp_size(kind: [u8; 4], data: &[u8]) -> Option<Size> {
    Some(match &kind {
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
    })
}

/// How many bytes stand in front of the chunks of a frame.
pub(super) const WEBP_FRAME_HEAD: usize = 16;

/// A frame of an animation: its own size, and that of the picture in it.
fn webp_frame(frames: &mut Frames, data: &[u8]) -> Option<()> {
    let [_, _, _, _, _, _, a, b, c, d, e, f, ..] = *data else { return None };
    let side = |bytes: [u8; 4]| u32::from_le_bytes(bytes) + 1;
    frames.add(side([a, b, c, 0]), side([d, e, f, 0]));
    let mut reader = Reader::new(data.get(WEBP_FRAME_HEAD..)?);
    while reader.at < reader.bytes.len() {
        let (kind, data) = webp_chunk(&mut reader)?;
        if let Some((width, height)) = webp_size(kind, data)? {
            frames.add(width, height);
        }
    }
    Some(())
}

/// The next chunk. One of odd length is followed by a byte that is not part of it.
pub(super) fn webp_chunk<'a>(reader: &mut Reader<'a>) -> Option<([u8; 4], &'a [u8])> {
    let kind: [u8; 4] = reader.array()?;
    let length = u32::from_le_bytes(reader.array()?) as usize;
    let data = reader.take(length)?;
    reader.take(length % 2)?;
    Some((kind, data))
}
