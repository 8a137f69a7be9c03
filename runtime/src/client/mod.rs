//! A Jupyter client of any gateway: REST, the kernel WebSocket in both framings, and the cluster's admin API.
//!
//! ```no_run
//! # async fn example() -> Result<(), nbos::client::Error> {
//! use nbos::client::{Client, Framing, StartOptions};
//!
//! let client = Client::at("http://127.0.0.1:8888", "token")?;
//! let kernel = client.start_kernel(&StartOptions::default()).await?;
//! let mut connection = client.connect(&kernel.id, Framing::V1).await?;
//! let outcome = connection.execute("print(6 * 7)").await?;
//! assert_eq!(outcome.stdout(), "42\n");
//! client.delete_kernel(&kernel.id).await?;
//! # Ok(())
//! # }
//! ```

mod admin;
mod connection;
mod endpoint;
mod error;
mod execute;
mod http;
mod kernels;
mod message;
mod outputs;
mod session;
mod wire;

pub use self::admin::{
    Drained, Gpu, Host, Kernel, Left, Memory, Move, PinnedVariable, Replica, Replicating, ScaledHost, Scaling, TreeNode,
};
pub use self::connection::{Framing, KernelConnection};
pub use self::error::Error;
pub use self::execute::{CellError, Execute, ExecuteOutcome, Silent};
pub use self::http::Client;
pub use self::kernels::{KernelModel, StartOptions};
pub use self::message::{Channel, Message};
pub use self::outputs::{DisplayUpdate, Outputs};
pub use self::session::KernelSession;
