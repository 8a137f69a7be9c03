//! Hears of cells that wait for GPUs and has replicas moved to where there are some, on the control group's leader.

use std::time::Duration;

use nbos_kernel::KernelId;
use nbos_kernel::protocol::{RELOCATE_PATH, Relocate};
use nbos_mesh::{Delivery, NodeName, codec};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::actor::{Arguments, unix_us};
use crate::choice::{Need, When};
use crate::demand::{Demand, has_room};
use crate::moves::Why;
use crate::protocol::Reply;
use crate::state::Outcome;

/// Between two looks at the hosts' lines: as often as they are told.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Relocator;

pub(crate) struct State {
    around: Arguments,
    demand: Demand,
}

pub(crate) enum Message {
    Delivery(Delivery),
    Look,
}

impl ractor::Message for Message {}

impl From<Delivery> for Message {
    fn from(delivery: Delivery) -> Self {
        Self::Delivery(delivery)
    }
}

impl TryFrom<Message> for Delivery {
    type Error = ();

    fn try_from(message: Message) -> Result<Self, ()> {
        match message {
            Message::Delivery(delivery) => Ok(delivery),
            Message::Look => Err(()),
        }
    }
}

impl Actor for Relocator {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, around: Arguments) -> Result<State, ActorProcessingErr> {
        around.mesh.register(RELOCATE_PATH, myself.get_derived());
        myself.send_interval(LOOK_EVERY, || Message::Look);
        Ok(State {
            around,
            demand: Demand::default(),
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Delivery(delivery) => match codec::decode::<Relocate>(&delivery.body) {
                Ok(relocate) => state.relocate(&relocate),
                Err(error) => tracing::warn!(%error, from = %delivery.from.node, "unreadable wish for another host"),
            },
            Message::Look => state.look(),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Message>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.around.mesh.unregister(RELOCATE_PATH);
        Ok(())
    }
}

impl State {
    fn relocate(&mut self, relocate: &Relocate) {
        let control = self.around.view.borrow().clone();
        let Some(kernel) = control.kernels.get(&relocate.kernel) else {
            return;
        };
        // Who does not lead remembers it too: it may lead when the next one comes.
        let due = self.demand.hear(relocate, kernel, unix_us());
        let need = self.demand.need(kernel);
        // What a host told before the cell came to stand in its line is no room for that cell.
        let since = self
            .around
            .loads
            .heard_within(Duration::from_micros(relocate.waited_us));
        let helped = has_room(&since, kernel, need);
        if due && !helped && kernel.moving.is_none() && self.around.leads() {
            self.begin(kernel.id, None, need, Why::Room);
        }
    }

    fn look(&mut self) {
        let control = self.around.view.borrow().clone();
        let demand = &mut self.demand;
        let due = self.around.seen(&control, |cluster| demand.look(cluster, unix_us()));
        if let Some((kernel, from)) = due
            && self.around.leads()
            && let Some(kernel) = control.kernels.get(&kernel)
        {
            self.begin(kernel.id, Some(from), self.demand.need(kernel), Why::Foresight);
        }
    }

    /// Beside the actor: the replicas are asked who runs the cells.
    fn begin(&self, kernel: KernelId, from: Option<NodeName>, need: Need, why: Why) {
        let around = self.around.clone();
        tokio::spawn(async move {
            let wish = (from, None);
            match around.begin_move(kernel, wish, Some(need), When::Now, why).await {
                Reply::Outcome(Outcome::Done | Outcome::Kernel(_)) => {
                    tracing::info!(%kernel, why = why.name(), "a replica follows the free gpus")
                }
                // Asked again while the cell waits.
                refused => tracing::debug!(%kernel, why = why.name(), ?refused, "no replica can follow the free gpus"),
            }
        });
    }
}
