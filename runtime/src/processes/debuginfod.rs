//! Debug files from servers (`debuginfod`), where the user names some in `DEBUGINFOD_URLS`.
//!
//! In comes a build id, out goes an open file, of the folder that all clients of such servers share. Servers are asked by plain HTTP
//! alone, and are not trusted: they have so much time, and what they send has so many bytes. What a file says is checked by who
//! asked for it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of a file, and of all files of a session.
const MAX_FILE: u64 = 512 << 20;
const MAX_ALL: u64 = 2 << 30;

/// How long a server may take to answer, a file to come, and all files of a session.
const ANSWER: Duration = Duration::from_secs(5);
const FILE: Duration = Duration::from_secs(30);
const ALL: Duration = Duration::from_secs(90);

/// Bytes of an answer before the file.
const MAX_HEAD: u64 = 16 << 10;

/// The servers, and the folder with what came from them.
#[derive(Debug, Default)]
pub struct Servers {
    servers: Vec<Server>,
    folder: PathBuf,
    spent: Duration,
    bytes: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Server {
    host: String,
    port: u16,
    /// What the paths of files begin with, without a slash at its end.
    path: String,
    /// It did not answer, and is not asked again.
    silent: bool,
}

/// What becomes of names that `DEBUGINFOD_URLS` promises, if something does: servers that speak HTTPS alone are not asked.
pub fn unasked() -> Option<String> {
    let urls = std::env::var("DEBUGINFOD_URLS").ok()?;
    let left_out: Vec<&str> = urls
        .split_whitespace()
        .filter(|url| Server::parse(url).is_none())
        .collect();
    (!left_out.is_empty()).then(|| {
        format!(
            "of DEBUGINFOD_URLS only `http://` is supported, so {} will not be asked; `debuginfod-find debuginfo FILE` fetches a file \
             beforehand, which is found then",
            left_out.join(" and ")
        )
    })
}

impl Servers {
    /// Those that the environment names, with its folder.
    pub fn from_environment() -> Servers {
        let Ok(urls) = std::env::var("DEBUGINFOD_URLS") else {
            return Servers::default();
        };
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = variable("DEBUGINFOD_CACHE_PATH").map(PathBuf::from);
        let cache = || variable("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || Some(Path::new(&variable("HOME")?).join(".cache"));
        let folder = folder.or_else(|| Some(cache().or_else(home)?.join("debuginfod_client")));
        Servers {
            servers: urls.split_whitespace().filter_map(Server::parse).collect(),
            // Without one nothing is kept, and so nothing is fetched.
            folder: folder.unwrap_or_default(),
            ..Servers::default()
        }
        .if_asked(urls.split_whitespace().next().is_some())
    }

    /// Nothing, not even what is in the folder, where no server is named.
    fn if_asked(self, asked: bool) -> Servers {
        match asked {
            true => self,
            false => Servers::default(),
        }
    }

    /// The file with the debug information of what has this build id.
    pub fn find(&mut self, build_id: &[u8]) -> Option<File> {
        if self.folder.as_os_str().is_empty() || build_id.len() < 2 {
            return None;
        }
        let id: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = self.folder.join(&id);
        let path = folder.join("debuginfo");
        // An empty one says that there was none, some time ago.
        if let Some(known) = File::open(&path).ok().filter(|file| {
            file.metadata()
                .is_ok_and(|meta| meta.is_file() && meta.len() > 0)
        }) {
            return Some(known);
        }
        for index in 0..self.servers.len() {
            if self.spent >= ALL || self.bytes >= MAX_ALL || self.servers[index].silent {
                continue;
            }
            let since = Instant::now();
            let fetched = self.fetch(index, &id, &folder, &path);
            self.spent += since.elapsed();
            match fetched {
                Ok(Some(file)) => return Some(file),
                Ok(None) => {}
                Err(_) => self.servers[index].silent = true,
            }
        }
        None
    }

    /// Asks one server; `None` if it has no such file.
    fn fetch(
        &mut self,
        index: usize,
        id: &str,
        folder: &Path,
        path: &Path,
    ) -> io::Result<Option<File>> {
        let most = MAX_FILE.min(MAX_ALL - self.bytes);
        let until = Instant::now() + FILE.min(ALL.saturating_sub(self.spent));
        let Some((body, length)) = self.servers[index].ask(id, until)? else {
            return Ok(None);
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        // Others may fetch the same file, so it has its name once it is whole.
        let partial = folder.join(format!("debuginfo.{}", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(&partial)?;
        let copied = io::copy(&mut body.take(most + 1), &mut file);
        let whole = copied.as_ref().is_ok_and(|bytes| {
            *bytes <= most && *bytes > 0 && length.is_none_or(|length| length == *bytes)
        });
        self.bytes += file.metadata().map_or(0, |meta| meta.len());
        if whole {
            std::fs::rename(&partial, path)?;
            return Ok(Some(File::open(path)?));
        }
        std::fs::remove_file(&partial)?;
        copied.map(|_| None)
    }
}

impl Server {
    /// `http://HOST[:PORT][/PATH]`
    fn parse(url: &str) -> Option<Server> {
        let rest = url.strip_prefix("http://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (authority, 80),
        };
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let path = path.trim_end_matches('/');
        let path = match path {
            "" => String::new(),
            path => format!("/{path}"),
        };
        (!host.is_empty() && is_plain(host) && is_plain(&path)).then(|| Server {
            host: host.to_owned(),
            port,
            path,
            silent: false,
        })
    }

    /// What it sends for a build id, and how long it says that is. HTTP/1.0, so that it comes in one piece and the connection ends.
    fn ask(&self, id: &str, until: Instant) -> io::Result<Option<(impl Read, Option<u64>)>> {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let address = (bare, self.port).to_socket_addrs()?.next();
        let address = address.ok_or(io::ErrorKind::NotFound)?;
        let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
        stream.set_write_timeout(Some(ANSWER))?;
        let (path, host) = (&self.path, &self.host);
        write!(
            stream,
            "GET {path}/buildid/{id}/debuginfo HTTP/1.0\r\nHost: {host}:{}\r\nUser-Agent: pfscript\r\n\r\n",
            self.port
        )?;
        let mut reader = BufReader::new(Timed { stream, until });
        let mut head = Vec::new();
        let mut length = None;
        let mut first = true;
        loop {
            let mut line = Vec::new();
            let left = MAX_HEAD - (head.len() as u64).min(MAX_HEAD);
            (&mut reader).take(left).read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let text = String::from_utf8_lossy(&line).trim().to_ascii_lowercase();
            if first && text.split(' ').nth(1) != Some("200") {
                return Ok(None);
            }
            first = false;
            if text.is_empty() {
                return Ok(Some((reader, length)));
            }
            if let Some(number) = text.strip_prefix("content-length:") {
                length = number.trim().parse().ok();
            }
            if text.starts_with("transfer-encoding:") {
                return Err(io::ErrorKind::Unsupported.into());
            }
            head.extend_from_slice(&line);
        }
    }
}

/// A connection that has until then.
struct Timed {
    stream: TcpStream,
    until: Instant,
}

impl Read for Timed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left.min(ANSWER)))?;
        self.stream.read(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_plain_http() {
        let server = |host: &str, port, path: &str| {
            Some(Server {
                host: host.to_owned(),
                port,
                path: path.to_owned(),
                silent: false,
            })
        };
        for (url, expected) in [
            ("http://example.org", server("example.org", 80, "")),
            ("http://example.org/", server("example.org", 80, "")),
            (
                "http://example.org:8002/a/b/",
                server("example.org", 8002, "/a/b"),
            ),
            ("http://[::1]:8002", server("[::1]", 8002, "")),
            ("http://[::1]/x", server("[::1]", 80, "/x")),
            ("https://example.org", None),
            ("ftp://example.org", None),
            ("http://", None),
            ("http://host:port", None),
            ("http://a\r\nb", None),
        ] {
            assert_eq!(Server::parse(url), expected, "{url}");
        }
    }
}
