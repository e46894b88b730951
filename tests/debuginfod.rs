//! Debug files from servers that `DEBUGINFOD_URLS` names: one on loopback.

mod support;

use pfscript_testkit::needs_root;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use support::tools::{build_id, take_symbols};
use support::{Finished, Scratch, Tracer, stacks};

const SOURCE: &str = r#"
#include "workload.h"

__attribute__((noinline)) static void touch_known_to_server(volatile char *memory, long pages)
{
    write_each_page(memory, pages, RUSAGE_SELF);
}

int main(void)
{
    touch_known_to_server(anonymous(50, MADV_NOHUGEPAGE), 50);
    return 0;
}
"#;

/// What a server does with a request.
#[derive(Clone)]
enum Answer {
    Bytes(Vec<u8>),
    NotFound,
    /// It says that more comes than does.
    Cut(Vec<u8>),
    /// Never.
    Nothing,
}

/// A server that answers all requests in the same way, and remembers their paths.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: Answer) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let paths = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().flatten() {
                serve(stream, &answer, &paths, &mut held);
            }
        });
        Server { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread panics").clone()
    }
}

fn serve(
    stream: TcpStream,
    answer: &Answer,
    paths: &Mutex<Vec<String>>,
    held: &mut Vec<TcpStream>,
) {
    let mut lines = BufReader::new(&stream).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    paths.lock().expect("no thread panics").push(path);
    while lines
        .next()
        .and_then(Result::ok)
        .is_some_and(|line| !line.is_empty())
    {}
    drop(lines);
    let mut to = &stream;
    let head = |length| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    // The client may have gone.
    let _ = match answer {
        Answer::Bytes(bytes) => to.write_all(&[head(bytes.len()).as_bytes(), bytes].concat()),
        Answer::Cut(bytes) => to.write_all(&[head(bytes.len() + 1).as_bytes(), bytes].concat()),
        Answer::NotFound => to.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        Answer::Nothing => {
            held.push(stream);
            Ok(())
        }
    };
}

/// A stripped program with a build id, and its file of symbols.
struct Program {
    scratch: Scratch,
    path: PathBuf,
    build_id: String,
    symbols: Vec<u8>,
}

impl Program {
    fn new(seed: &str) -> Program {
        let scratch = Scratch::new("debuginfod");
        let flags = ["-Wl,--build-id=sha1", seed];
        let path = scratch.compiled_with("served", SOURCE, &flags);
        let build_id = build_id(&path);
        let debug = take_symbols(scratch.path(), "served");
        let symbols = std::fs::read(&debug).expect("it is ours");
        std::fs::remove_file(&debug).expect("it is ours");
        Program {
            scratch,
            path,
            build_id,
            symbols,
        }
    }

    /// What the tracer calls the function that touches 50 pages, where it may ask these servers.
    #[track_caller]
    fn name(&self, urls: &str) -> (String, Finished) {
        let script = "software:page-faults:1 /comm == \"served\"/ { @[ustack(1)] = count(); }";
        let command = format!("'{}'", self.path.display());
        let cache = self.scratch.path().join("cache");
        let finished = Tracer::new(["-e", script, "-c", &command])
            .env("DEBUGINFOD_URLS", urls)
            .env("DEBUGINFOD_CACHE_PATH", cache.to_str().expect("UTF-8"))
            .run()
            .lossless();
        let frames = stacks::only(&finished, 50);
        let name = frames[0].split('+').next().unwrap_or_default().to_owned();
        (name, finished)
    }
}

#[test]
fn a_debug_file_is_fetched_once_and_kept_for_all_clients() {
    needs_root!();
    let program = Program::new("-DA");
    let server = Server::start(Answer::Bytes(program.symbols.clone()));
    let not_there = Server::start(Answer::NotFound);
    assert_eq!(program.name("").0, "[served");
    assert_eq!(server.asked(), [""; 0]);
    let urls = format!("{}/ {}", not_there.url, server.url);
    assert_eq!(program.name(&urls).0, "touch_known_to_server");
    let own = format!("/buildid/{}/debuginfo", program.build_id);
    let times = |server: &Server| server.asked().iter().filter(|path| **path == own).count();
    assert_eq!((times(&not_there), times(&server)), (1, 1));
    let kept = program
        .scratch
        .path()
        .join("cache")
        .join(&program.build_id)
        .join("debuginfo");
    assert_eq!(std::fs::read(kept).expect("it was kept"), program.symbols);
    assert_eq!(program.name(&urls).0, "touch_known_to_server");
    assert_eq!((times(&not_there), times(&server)), (1, 1));
}

#[test]
fn servers_are_not_trusted() {
    needs_root!();
    let program = Program::new("-DB");
    let mut other = program.symbols.clone();
    // Another build id.
    let first: Vec<u8> = (0..4)
        .map(|byte| {
            u8::from_str_radix(&program.build_id[2 * byte..2 * byte + 2], 16).expect("hexadecimal")
        })
        .collect();
    let at = other
        .windows(4)
        .position(|bytes| bytes == first)
        .expect("it is there");
    other[at] ^= 0xff;
    for answer in [
        Answer::Bytes(other),
        Answer::Bytes(b"no ELF file".to_vec()),
        Answer::Bytes(Vec::new()),
        Answer::Cut(program.symbols.clone()),
        Answer::Nothing,
    ] {
        let server = Server::start(answer);
        assert_eq!(program.name(&server.url).0, "[served");
        let _ = std::fs::remove_dir_all(program.scratch.path().join("cache"));
    }
    // Nobody listens there.
    assert_eq!(program.name("http://127.0.0.1:1").0, "[served");
}

#[test]
fn servers_that_are_not_asked_are_named() {
    needs_root!();
    let program = Program::new("-DC");
    let (name, finished) = program.name("https://debuginfod.example.org");
    assert_eq!(name, "[served");
    finished.says(&["https://debuginfod.example.org", "only `http://`"]);
}
