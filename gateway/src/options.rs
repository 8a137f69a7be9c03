//! The `[gateway]` table of `cluster.toml`.

use std::time::Duration;

use serde::Deserialize;

/// Every key has a default; an unknown key is an error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Threads that serve HTTP and WebSockets.
    pub workers: usize,
    /// Value of `Access-Control-Allow-Origin`. There are no cookies to steal: every request carries the token itself.
    pub allow_origin: String,
    /// Command line shown in the kernelspec; the replicas start their own.
    pub kernel_argv: Vec<String>,
    /// Refuse new kernels above this number; 0 means no limit.
    pub max_kernels: usize,
    /// Largest WebSocket message taken from a client. jupyter_server was seen to take a 5 MB cell; widgets send more.
    pub max_message_bytes: usize,
    /// Largest body of a REST request. They are small JSON objects.
    pub max_body_bytes: usize,
    /// Output waiting for one client before stream output is dropped with a notice; twice this closes the connection.
    pub client_queue_bytes: usize,
    /// Output kept for a client whose connection is gone and may come back with the same session id.
    pub kept_bytes: usize,
    /// How long that is kept.
    pub kept_seconds: u64,
    /// Requests of one kernel that wait for the executor or its reply.
    pub max_pending: usize,
    /// Bytes of those requests.
    pub max_pending_bytes: usize,
    /// How long a cell waits for a replica that takes it before the client is told `KernelUnreachable`.
    pub execute_patience_seconds: u64,
    /// Interval of WebSocket pings (jupyter_server's default).
    pub ping_seconds: u64,
    /// A connection without a pong for this long is closed (three pings).
    pub pong_timeout_seconds: u64,
}

impl Default for Options {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            workers: 2,
            allow_origin: "*".to_owned(),
            kernel_argv: ["python3", "-m", "nbos_kernel", "-f", "{connection_file}"]
                .map(str::to_owned)
                .to_vec(),
            max_kernels: 0,
            max_message_bytes: 64 * MIB,
            max_body_bytes: MIB,
            client_queue_bytes: 64 * MIB,
            kept_bytes: 8 * MIB,
            kept_seconds: 120,
            max_pending: 1_024,
            max_pending_bytes: 128 * MIB,
            execute_patience_seconds: 60,
            ping_seconds: 30,
            pong_timeout_seconds: 90,
        }
    }
}

impl Options {
    pub(crate) fn kept_for(&self) -> Duration {
        Duration::from_secs(self.kept_seconds)
    }

    pub(crate) fn execute_patience(&self) -> Duration {
        Duration::from_secs(self.execute_patience_seconds)
    }

    pub(crate) fn ping_interval(&self) -> Duration {
        Duration::from_secs(self.ping_seconds.max(1))
    }

    pub(crate) fn pong_timeout(&self) -> Duration {
        Duration::from_secs(self.pong_timeout_seconds.max(1))
    }
}
