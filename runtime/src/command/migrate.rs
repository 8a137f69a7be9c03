//! `nbos migrate`.

use std::process::ExitCode;
use std::time::Duration;

use super::kernel_id;
use super::target::Target;
use crate::client::Kernel;
use crate::show::{self, MoveProgress};

/// Between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Move a replica of a kernel to another host
///
/// Returns when the new replica has caught up and the old one is gone.
#[derive(Debug, clap::Args)]
pub(super) struct Migrate {
    /// The kernel's id, or the beginning of it
    id: String,
    /// Host of the replica to move, dead or alive; the cluster chooses otherwise
    #[arg(long, value_name = "HOST")]
    from: Option<String>,
    /// Host that it goes to; the cluster chooses otherwise
    #[arg(long, value_name = "HOST")]
    to: Option<String>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: show::Output,
}

impl Migrate {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.target.client()?;
        let id = kernel_id::resolve(&client, &self.id).await?;
        let mut progress = MoveProgress::new();
        let moving = client.migrate(&id, self.from.as_deref(), self.to.as_deref());
        tokio::pin!(moving);
        let answer = loop {
            tokio::select! {
                answer = &mut moving => break answer,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            // What cannot be shown now is shown the next time.
            if let Ok(kernel) = client.cluster_kernel(&id).await {
                describe(&kernel).into_iter().for_each(|text| progress.say(text));
            }
        };
        progress.finish();
        self.output.print(answer?, |kernel: &Kernel| {
            let hosts: Vec<&str> = kernel.replicas.iter().map(|replica| replica.host.as_str()).collect();
            format!("kernel {id} has its replicas on {}\n", hosts.join(", "))
        })
    }
}

/// How far the kernel's move is.
fn describe(kernel: &Kernel) -> Option<String> {
    let moving = kernel.moves.first()?;
    let new = kernel.replicas.iter().find(|replica| replica.host == moving.to);
    let lacks = new.and_then(|replica| replica.lacks).filter(|lacks| *lacks > 0);
    let lacks = lacks.map_or_else(String::new, |lacks| format!(", {lacks} objects to come"));
    Some(format!("{} from {} to {}{lacks}", moving.phase, moving.from, moving.to))
}
