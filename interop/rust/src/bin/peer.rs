//! Does what the tests in tests/interop ask for, a line each: tests/interop/doc.go says how. The length is little-endian.

use futures::{SinkExt, StreamExt};
use qsocket_interop::Time;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

/// It has no field for an any: rmp-serde has no type for what is not known.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Value {
    int: i64,
    uint: u64,
    float: f64,
    flag: bool,
    text: String,
    blob: Option<ByteBuf>,
    time: Time,
    list: Option<Vec<i64>>,
    map: Option<BTreeMap<String, i64>>,
    keys: Option<BTreeMap<i64, String>>,
    next: Option<Box<Value>>,
}

type Reader = FramedRead<OwnedReadHalf, LengthDelimitedCodec>;
type Writer = FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>;

fn main() -> io::Result<()> {
    assert_eq!(LengthDelimitedCodec::new().max_frame_length(), 8 << 20); // docs/interop.md says so
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (tasks, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        io::stdin().lock().lines().map_while(Result::ok).for_each(|line| drop(tasks.send(line)));
        std::process::exit(0) // whatever a task waits for
    });
    for line in lines {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or("").to_string();
        let (role, port, case, argument) = (word(), word(), word(), word());
        let said = runtime.block_on(task(&role, &port, &case, &argument))?;
        println!("DONE {}", said);
        io::stdout().flush()?;
    }
    Ok(())
}

async fn task(role: &str, port: &str, case: &str, argument: &str) -> io::Result<String> {
    if role == "client" {
        let port: u16 = port.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        return Ok(run(case, argument, TcpStream::connect(("127.0.0.1", port)).await?).await);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("READY {}", listener.local_addr()?.port());
    io::stdout().flush()?;
    loop {
        let said = run(case, argument, listener.accept().await?.0).await;
        if case != "torn" || !said.starts_with("0 ") {
            return Ok(said); // torn: connections until one has had a message
        }
    }
}

/// run says how many messages came, and how the connection ended.
async fn run(case: &str, argument: &str, stream: TcpStream) -> String {
    let mut count = 0;
    let ended = play(case, argument, stream, &mut count).await;
    let how = match ended {
        Ok(()) => "clean",
        Err(err) if err.kind() == io::ErrorKind::InvalidData => "too large",
        Err(_) => "lost",
    };
    format!("{} {}", count, how)
}

async fn play(case: &str, argument: &str, stream: TcpStream, count: &mut usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let n: usize = argument.parse().unwrap_or(0);
    let limit = if case == "takes" { n } else { 1 << 20 };
    let frames = || LengthDelimitedCodec::builder().little_endian().max_frame_length(limit).new_codec();
    let (reader, writer) = stream.into_split();
    let (mut reader, mut writer) = (FramedRead::new(reader, frames()), FramedWrite::new(writer, frames()));
    match case {
        "echo" | "torn" => return echo(&mut reader, &mut writer, count, again).await,
        "takes" => return echo(&mut reader, &mut writer, count, |payload| Ok(payload.to_vec())).await,
        "bytes" => {
            writer.send(vec![b'x'; n].into()).await?;
            return echo(&mut reader, &mut writer, count, |payload| Ok(payload.to_vec())).await;
        }
        "cut" => {
            let byte = |i| u8::from_str_radix(&argument[i..i + 2], 16).unwrap_or(0);
            let bytes: Vec<u8> = (0..argument.len()).step_by(2).map(byte).collect();
            writer.get_mut().write_all(&bytes).await?;
            writer.close().await?;
        }
        "flood" => {
            let (sent, read) = futures::join!(numbers(&mut writer, n), check(&mut reader, count));
            return sent.and(read);
        }
        "finish" => numbers(&mut writer, 3).await?,
        _ => writer.close().await?,
    }
    while let Some(payload) = reader.next().await {
        payload?;
        *count += 1;
    }
    Ok(())
}

fn again(payload: &[u8]) -> io::Result<Vec<u8>> {
    let value: Value = rmp_serde::from_slice(payload).map_err(invalid)?;
    rmp_serde::to_vec_named(&value).map_err(invalid)
}

fn invalid(err: impl std::error::Error) -> io::Error {
    eprintln!("{}", err);
    io::Error::new(io::ErrorKind::Other, "no value")
}

async fn echo(reader: &mut Reader, writer: &mut Writer, count: &mut usize, answer: fn(&[u8]) -> io::Result<Vec<u8>>) -> io::Result<()> {
    while let Some(payload) = reader.next().await {
        writer.send(answer(&payload?)?.into()).await?;
        *count += 1;
    }
    writer.close().await
}

async fn numbers(writer: &mut Writer, n: usize) -> io::Result<()> {
    for i in 0..n {
        let value = Value { int: i as i64, ..Value::default() };
        writer.send(rmp_serde::to_vec_named(&value).map_err(invalid)?.into()).await?;
    }
    writer.close().await
}

async fn check(reader: &mut Reader, count: &mut usize) -> io::Result<()> {
    while let Some(payload) = reader.next().await {
        let value: Value = rmp_serde::from_slice(&payload?).map_err(invalid)?;
        if value.int != *count as i64 {
            return Err(io::Error::new(io::ErrorKind::Other, "another number"));
        }
        *count += 1;
    }
    Ok(())
}
