//! A client in raw mode with the framing Uint32: order PORT

use futures::{SinkExt, StreamExt};
use qsocket_interop::Time; // the timestamp extension
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::error::Error;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)] // default: a field may be missing
#[derive(Default)]
struct Order {
    #[serde(rename = "ID")]
    id: u64,
    price: f64,
    placed: Time,
    note: Option<String>,  // what may be nil in Go is an Option here
    blob: Option<ByteBuf>, // a Vec<u8> would be a list of integers
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("usage: order PORT")?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(talk(port))
}

async fn talk(port: u16) -> Result<(), Box<dyn Error>> {
    // 4 bytes, big-endian, as the library has them; max_frame_length is 8 MiB by itself.
    let frames = LengthDelimitedCodec::builder().max_frame_length(1 << 20).new_codec();
    let mut conn = Framed::new(tokio::net::TcpStream::connect(("127.0.0.1", port)).await?, frames);
    let order = Order {
        id: (1 << 53) + 1,
        price: 5.0,
        placed: Time { seconds: 1767323045, nanos: 123456789 },
        note: None,
        blob: Some(ByteBuf::from([0xff])),
    };
    conn.send(rmp_serde::to_vec_named(&order)?.into()).await?; // named: to_vec would make an array
    let payload = conn.next().await.ok_or("no answer")??;
    let got: Order = rmp_serde::from_slice(&payload)?;
    let note = got.note.unwrap_or_default();
    println!("{} {} {} {} {} {}", got.id, got.price, got.placed.seconds, got.placed.nanos, note, got.blob.is_none());
    conn.close().await?; // no more comes from here
    match conn.next().await {
        None => Ok(()),
        Some(_) => Err("more than one answer".into()),
    }
}
