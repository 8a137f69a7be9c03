//! What people see: tables, trees and progress. Nothing else in the crate prints.

mod cell_progress;
mod move_progress;
mod output;
mod python_progress;
mod status;
mod table;
mod tree;

pub(crate) use self::cell_progress::CellProgress;
pub(crate) use self::move_progress::MoveProgress;
pub(crate) use self::output::Output;
pub(crate) use self::python_progress::PythonProgress;
pub(crate) use self::status::{hosts, kernel, kernels};
pub(crate) use self::tree::tree;
