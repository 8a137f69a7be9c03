//! The `[objects]` table of `cluster.toml`.

use serde::{Deserialize, Serialize};

/// How a node keeps and moves chunks. Every field has a default; unknown keys are errors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// TCP port for bulk bytes, on the address of the mesh. Default 0: the system chooses one, and peers ask for it
    /// over the mesh. To be fixed where a firewall stands between the nodes.
    pub port: u16,
    /// When chunks have to be on the disk. Default `background`.
    pub sync: Durability,
    /// A store for cold copies: what every host has lost is fetched from there. Default none.
    pub s3: Option<S3>,
}

/// An S3-compatible store. Credentials come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
/// `AWS_SESSION_TOKEN`) or from the machine's role, never from a file that is shared around.
///
/// Nothing is deleted there: give the bucket a lifecycle rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// The bucket, which must exist.
    pub bucket: String,
    /// What names of chunks begin with. Default `nbos`.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// Default `us-east-1`; most stores that are not Amazon's do not care.
    #[serde(default = "default_region")]
    pub region: String,
    /// `http://` or `https://` URL of the store. Default: Amazon's of the region.
    #[serde(default)]
    pub endpoint: Option<String>,
}

fn default_prefix() -> String {
    "nbos".to_owned()
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

/// When chunks have to be on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A cell's change of more than 1 MiB is acknowledged when it is in files on a quorum of hosts, and flushed to
    /// their disks at once in the background: it survives every end of processes, and the loss of any one host.
    /// Smaller changes are on the disks before.
    #[default]
    Background,
    /// All of it is on the disks of a quorum before it is acknowledged; a gigabyte takes an ordinary disk seconds.
    Always,
}
