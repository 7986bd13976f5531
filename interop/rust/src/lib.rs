//! The types of messages that rmp-serde does not have by itself.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// An extension of MessagePack, as rmp-serde knows it.
#[derive(Serialize, Deserialize)]
#[serde(rename = "_ExtStruct")]
struct Ext((i8, ByteBuf));

/// A timestamp: the extension of the type -1, in any of its three forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Ext", into = "Ext")]
pub struct Time {
    pub seconds: i64,
    pub nanos: u32,
}

impl From<Time> for Ext {
    fn from(time: Time) -> Ext {
        let mut data = time.nanos.to_be_bytes().to_vec(); // the form that takes every time
        data.extend(time.seconds.to_be_bytes());
        Ext((-1, ByteBuf::from(data)))
    }
}

impl TryFrom<Ext> for Time {
    type Error = String;

    fn try_from(Ext((kind, data)): Ext) -> Result<Time, String> {
        let number = |part: &[u8]| part.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        match (kind, data.len()) {
            (-1, 4) => Ok(Time { seconds: number(&data) as i64, nanos: 0 }),
            (-1, 8) => Ok(Time { seconds: (number(&data) & ((1 << 34) - 1)) as i64, nanos: (number(&data) >> 34) as u32 }),
            (-1, 12) => Ok(Time { seconds: number(&data[4..]) as i64, nanos: number(&data[..4]) as u32 }),
            _ => Err(format!("want a timestamp, got the extension {} of {} bytes", kind, data.len())),
        }
    }
}
