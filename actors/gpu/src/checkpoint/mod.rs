//! Takes a process off its GPUs and brings it back, with all that it has there: the CUDA driver's checkpoint API.
//!
//! Between two cells the child process of a kernel needs no GPU. Suspended, its device memory is in the host's RAM and
//! its devices are as free as if it had ended; resumed, it finds everything where it was. The driver does this from
//! outside the process, which notices nothing.

mod checkpointer;
mod course;
mod error;
mod sys;

pub use checkpointer::Checkpointer;
pub use course::{ProcessState, Step, Why};
pub use error::Error;
