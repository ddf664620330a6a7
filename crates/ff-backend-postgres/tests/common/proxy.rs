//! What stands between a backend and its server, and cuts connections when it is told to.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;

/// Which of the client's messages a connection is cut at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// The run of a prepared statement.
    Run,
    /// The run of the statement that stores what was decided without a lock.
    Settle,
    /// The end of a transaction.
    Commit,
}

/// When the connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server never gets the message.
    Before(At),
    /// The server has answered it, and the client never gets the answer.
    After(At),
}

impl Cut {
    fn at(self) -> At {
        match self {
            Self::Before(at) | Self::After(at) => at,
        }
    }
}

pub(crate) struct Proxy {
    address: SocketAddr,
    armed: Arc<Mutex<Option<Cut>>>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    /// In front of the server.
    pub(crate) async fn start(server: PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let armed = Arc::new(Mutex::new(None));
        let accepting = tokio::spawn(accept(listener, server, Arc::clone(&armed)));
        Self { address, armed, accepting }
    }

    /// The URL of a database of the server by way of the proxy, which reads what passes.
    pub(crate) fn url(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, place) = rest.split_once('/').unwrap();
        let user = authority.rsplit_once('@').map_or("postgres", |(user, _)| user);
        let database = place.split('?').next().unwrap();
        format!("{scheme}://{user}@{}/{database}?sslmode=disable", self.address)
    }

    /// Cuts the next connection that sends such a message.
    pub(crate) fn arm(&self, cut: Cut) {
        *self.armed.lock().unwrap() = Some(cut);
    }

    /// Whether a connection has been cut since the proxy was armed.
    pub(crate) fn has_cut(&self) -> bool {
        self.armed.lock().unwrap().is_none()
    }
}

async fn accept(listener: TcpListener, server: PgConnectOptions, armed: Arc<Mutex<Option<Cut>>>) {
    while let Ok((client, _)) = listener.accept().await {
        let (server, armed) = (server.clone(), Arc::clone(&armed));
        tokio::spawn(async move {
            // A connection that one side has closed, or that the server does not take, is none to pass on.
            let _ = connect(client, &server, &armed).await;
        });
    }
}

async fn connect(
    client: TcpStream,
    server: &PgConnectOptions,
    armed: &Mutex<Option<Cut>>,
) -> io::Result<()> {
    let (host, port) = (server.get_host(), server.get_port());
    let folder = server.get_socket().cloned();
    match folder.or_else(|| host.starts_with('/').then(|| host.into())) {
        Some(folder) => {
            let socket = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await?;
            pass(client, socket, armed).await
        }
        None => pass(client, TcpStream::connect((host, port)).await?, armed).await,
    }
}

/// Passes on both ways until one side closes, or the connection is cut.
async fn pass(
    mut client: TcpStream,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    armed: &Mutex<Option<Cut>>,
) -> io::Result<()> {
    let (mut from_client, mut from_server) = (Messages::of_client(), Messages::of_server());
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut is_cut = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let bytes = &asked[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                if let Some(cut) = take_cut(armed, from_client.read(bytes)) {
                    is_cut = true;
                    if matches!(cut, Cut::Before(_)) {
                        return Ok(());
                    }
                }
                server.write_all(bytes).await?;
            }
            read = server.read(&mut answered) => {
                let bytes = &answered[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                let is_answered = from_server.read(bytes).iter().any(|message| message.is_ready());
                if !is_cut {
                    client.write_all(bytes).await?;
                } else if is_answered {
                    return Ok(());
                }
            }
        }
    }
}

fn take_cut(armed: &Mutex<Option<Cut>>, messages: Vec<Message>) -> Option<Cut> {
    let mut armed = armed.lock().unwrap();
    let at = armed.as_ref()?.at();
    messages.iter().any(|message| message.is(at)).then(|| armed.take())?
}

/// A message of the protocol, <https://www.postgresql.org/docs/current/protocol-message-formats.html>.
struct Message {
    kind: u8,
    body: Vec<u8>,
    settles: bool,
}

impl Message {
    fn is(&self, at: At) -> bool {
        match at {
            At::Run => self.kind == b'E',
            At::Settle => self.kind == b'B' && self.settles,
            At::Commit => self.kind == b'Q' && self.body.starts_with(b"COMMIT"),
        }
    }

    fn is_ready(&self) -> bool {
        self.kind == b'Z'
    }
}

/// Cuts a stream of bytes into messages.
struct Messages {
    unread: Vec<u8>,
    /// The client's first message tells no kind.
    has_begun: bool,
    /// The name by which the settling statement was prepared.
    settling: Option<Vec<u8>>,
}

/// The text at the beginning, up to its NUL, and what follows.
fn split_text(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

impl Messages {
    fn of_client() -> Self {
        Self { unread: Vec::new(), has_begun: false, settling: None }
    }

    fn of_server() -> Self {
        Self { unread: Vec::new(), has_begun: true, settling: None }
    }

    fn read(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.unread.extend_from_slice(bytes);
        let mut messages = Vec::new();
        while let Some(message) = self.next() {
            messages.push(message);
        }
        messages
    }

    fn next(&mut self) -> Option<Message> {
        let kind_bytes = usize::from(self.has_begun);
        let length = self.unread.get(kind_bytes..kind_bytes + 4)?;
        let end = kind_bytes + u32::from_be_bytes(length.try_into().unwrap()) as usize;
        if self.unread.len() < end {
            return None;
        }
        let rest = self.unread.split_off(end);
        let whole = std::mem::replace(&mut self.unread, rest);
        let kind = if self.has_begun { whole[0] } else { 0 };
        self.has_begun = true;
        let body = whole[kind_bytes + 4..].to_vec();
        let settles = self.settles(kind, &body);
        Some(Message { kind, body, settles })
    }

    /// Whether a `Bind` is of the statement that settles; a `Parse` tells its name.
    fn settles(&mut self, kind: u8, body: &[u8]) -> bool {
        let (first, rest) = split_text(body);
        let (second, _) = split_text(rest);
        if kind == b'P' && second.windows(10).any(|part| part == b"settled AS") {
            self.settling = Some(first.to_vec());
        }
        kind == b'B' && self.settling.as_deref() == Some(second)
    }
}
