//! `onsale room verify-draw FILE`

use std::{
    fs::File,
    io::{Read, stdin},
    path::Path,
};

use onsale_domain::{
    ids::RoomId,
    line::{Draw, DrawRecord, Ticket},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::arguments::{HexArgument, VerifyDraw};
use crate::failure::Failure;

/// The most bytes of a document.
const DOCUMENT_BYTES_MAX: u64 = 1_000_000;

/// What is needed of a room's document.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    room_id: i64,
    draw: DrawDocument,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DrawDocument {
    commitment: String,
    cohort: Option<u32>,
    seed: Option<String>,
    public_randomness: Option<String>,
    checksum: Option<String>,
}

/// Computes a draw again, without a database: whoever doubts it is not its organiser.
pub(crate) fn verify_draw(arguments: &VerifyDraw) -> Result<(), Failure> {
    let document = read(&arguments.file)?;
    let record = record(&document).map_err(Failure::Failed)?;
    if let Some(HexArgument(seen)) = &arguments.commitment
        && seen[..] != record.commitment
    {
        return Err(Failure::Failed(
            "the commitment is not the one that you saw before the opening: the draw is another one"
                .to_owned(),
        ));
    }
    let draw = record.verify().map_err(|error| Failure::Failed(error.to_string()))?;
    let order = order(&draw).map_err(Failure::Failed)?;
    println!("The draw of room {} is the one that was committed to.", record.room);
    println!("took part      {}", record.cohort);
    println!("order          {order}");
    for number in &arguments.numbers {
        println!("number {number:<7} place {}", draw.place(Ticket(*number)).0);
    }
    Ok(())
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let cannot = || Failure::of(format!("cannot read {}", file.display()));
    let read = if file == Path::new("-") {
        stdin().lock().take(DOCUMENT_BYTES_MAX).read_to_string(&mut text)
    } else {
        File::open(file).map_err(cannot())?.take(DOCUMENT_BYTES_MAX).read_to_string(&mut text)
    };
    read.map_err(cannot())?;
    Ok(text)
}

/// The record in a document, if it is what the room published, to the last bit.
fn record(document: &str) -> Result<DrawRecord, String> {
    let Document { room_id, draw } =
        serde_json::from_str(document).map_err(|error| format!("this is not a room's document: {error}"))?;
    let (Some(cohort), Some(seed), Some(public_randomness), Some(checksum)) =
        (draw.cohort, draw.seed, draw.public_randomness, draw.checksum)
    else {
        return Err("lots have not been drawn yet: get the document again after the opening".to_owned());
    };
    let record = DrawRecord {
        room: RoomId(room_id),
        cohort,
        commitment: digest("commitment", &draw.commitment)?,
        seed: digest("seed", &seed)?,
        public_randomness: bytes("publicRandomness", &public_randomness)?,
    };
    record.verify().map_err(|error| error.to_string())?;
    if digest("checksum", &checksum)? != record.checksum() {
        return Err("the checksum does not fit: this is not the record as it was published".to_owned());
    }
    Ok(record)
}

fn bytes(field: &str, text: &str) -> Result<Vec<u8>, String> {
    // As the server writes it; whatever differs from that was changed.
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("{field}: not in lower case"));
    }
    text.parse().map(|HexArgument(bytes)| bytes).map_err(|error| format!("{field}: {error}"))
}

fn digest(field: &str, text: &str) -> Result<[u8; 32], String> {
    bytes(field, text)?.try_into().map_err(|_| format!("{field}: not 32 bytes"))
}

/// A digest of everybody's place, in the order of numbers; also checks that nobody shares one.
fn order(draw: &Draw) -> Result<String, String> {
    let cohort = draw.cohort();
    let mut taken = vec![false; cohort as usize];
    let mut digest = Sha256::new();
    for number in 0..cohort {
        let place = draw.place(Ticket(number)).0;
        let free = taken.get_mut(place as usize).is_some_and(|taken| !std::mem::replace(taken, true));
        if !free {
            return Err(format!("number {number} has place {place}, which somebody else has, too"));
        }
        digest.update(place.to_be_bytes());
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use onsale_domain::line::commitment;
    use serde_json::{Value, json};

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn document() -> Value {
        let (room, seed) = (RoomId(7), [0xA5; 32]);
        let record = DrawRecord {
            room,
            cohort: 1_000,
            commitment: commitment(room, &seed),
            seed,
            public_randomness: vec![1, 2, 254],
        };
        json!({"roomId": 7, "phase": "open", "draw": {
            "cohort": 1_000, "commitment": hex(&record.commitment), "seed": hex(&seed),
            "publicRandomness": "0102fe", "checksum": hex(&record.checksum()),
        }})
    }

    #[test]
    fn a_true_record_is_accepted_and_one_with_any_bit_changed_is_refused() {
        let document = document();
        assert!(record(&document.to_string()).is_ok());
        for field in ["commitment", "seed", "publicRandomness", "checksum"] {
            let HexArgument(bytes) = document["draw"][field].as_str().unwrap().parse().unwrap();
            for bit in 0..bytes.len() * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let mut document = document.clone();
                document["draw"][field] = json!(hex(&changed));
                assert!(record(&document.to_string()).is_err(), "bit {bit} of {field}");
            }
        }
        for (pointer, bits) in [("/roomId", 63), ("/draw/cohort", 32)] {
            let number = document.pointer(pointer).unwrap().as_i64().unwrap();
            for bit in 0..bits {
                let mut document = document.clone();
                *document.pointer_mut(pointer).unwrap() = json!(number ^ 1 << bit);
                assert!(record(&document.to_string()).is_err(), "bit {bit} of {pointer}");
            }
        }
        // And of the text itself, wherever it carries the record.
        let text = document["draw"].to_string();
        for at in 0..text.len() {
            for bit in 0..7 {
                let mut changed = text.clone().into_bytes();
                changed[at] ^= 1 << bit;
                let changed = String::from_utf8(changed).unwrap();
                let changed = format!(r#"{{"roomId":7,"draw":{changed}}}"#);
                assert!(record(&changed).is_err(), "bit {bit} of letter {at}: {changed}");
            }
        }
    }

    #[test]
    fn nobody_shares_a_place_and_the_order_follows_from_everything() {
        let digest = |change: &dyn Fn(&mut DrawRecord)| {
            let mut record = record(&document().to_string()).unwrap();
            change(&mut record);
            order(&record.verify().unwrap()).unwrap()
        };
        let whole = digest(&|_| {});
        assert_eq!(whole, digest(&|_| {}));
        assert_ne!(whole, digest(&|record| record.cohort -= 1));
        assert_ne!(whole, digest(&|record| record.public_randomness[0] ^= 1));
    }

    #[test]
    fn before_the_opening_there_is_nothing_to_verify() {
        let early = json!({"roomId": 7, "draw": {"commitment": hex(&[1; 32])}});
        assert!(record(&early.to_string()).unwrap_err().contains("after the opening"));
        assert!(record("{}").unwrap_err().contains("not a room's document"));
    }
}
